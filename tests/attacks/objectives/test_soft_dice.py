from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss

from monai_advdefense.attacks.objectives import soft_dice


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_soft_dice_is_that_of_monai_over_the_structures_that_are_there(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 6, 7, generator=generator, dtype=torch.float64).to(dtype)
    label = torch.randint(4, (2, 6, 7), generator=generator)
    label[1][label[1] == 2] = 0
    found = soft_dice(logits, label.masked_fill(label == 0, -100)).sum()
    each = DiceLoss(softmax=True, to_onehot_y=True, reduction="none", smooth_nr=0, smooth_dr=0)(
        logits.double(), label[:, None]
    )
    here = [(0, 1), (0, 2), (0, 3), (1, 1), (1, 3)]
    expected = -sum(1 - each[sample, structure].item() for sample, structure in here)
    assert found.item() == pytest.approx(expected, rel=1e-2 if dtype == torch.bfloat16 else 1e-5)
