from __future__ import annotations

import torch

from monai_advdefense.robustness.cells import Cells
from monai_advdefense.robustness.network_facts import outputs_number


def test_outputs_are_told_apart_but_for_rounding(tmp_path):
    cells = Cells(tmp_path, of={"network": "a"})
    first, second = torch.rand(2, 1, 2, 40, 40, generator=torch.Generator().manual_seed(0))
    broken = torch.full_like(first, float("nan"))
    given = [first, second, broken, first * (1 + 1e-5), second - 1e-5, broken, first * 1.1]
    assert [outputs_number(cells, {"image": "x"}, logits) for logits in given] == [0, 1, 2, 0, 1, 2, 3]
    assert outputs_number(cells, {"image": "y"}, second) == 0


def test_outputs_of_more_voxels_than_single_precision_counts(tmp_path):
    logits = torch.zeros(1, 2, 2**24, dtype=torch.float16)
    logits[0, 1, -1] = 1
    cells = Cells(tmp_path, of={})
    assert [outputs_number(cells, {}, each) for each in (logits, 0 * logits)] == [0, 1]
