from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.report import Provenance, case_from_scores


@pytest.fixture
def make_case():
    """Build a case from scores with the detector's rule; blank slices by index."""

    def make(scores, threshold=1.0, blank=(), **provenance):
        values = torch.tensor(scores, dtype=torch.float32)
        empty = torch.tensor([index in blank for index in range(len(scores))], dtype=torch.bool)
        checked = torch.isfinite(values) & math.isfinite(threshold)
        return case_from_scores(
            values,
            checked & (empty | (values <= threshold)),
            empty,
            threshold=threshold,
            positions=[(float(index) - 10.0, index + 3) for index in range(len(scores))],
            input_path="/data/site <1>/scan & more.nii.gz",
            segmentation_path="/out/site <1>/scan & more_seg.nii.gz",
            provenance=Provenance(**provenance),
        )

    return make
