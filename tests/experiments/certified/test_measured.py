from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.certified import measured
from experiments.certified.measured import certify_slices
from experiments.slices import Slices
from monai_advdefense.certification import certify
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer

SETTINGS = {"sigma": 0.25, "n": 20}


@pytest.fixture
def guard():
    torch.manual_seed(0)
    identity = nn.Identity()
    return DefendedSegmenter(ReconstructionDetector(identity), Reformer(identity), nn.Conv2d(1, 3, 3, padding=1)).eval()


@pytest.fixture
def slices():
    image = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    image[:, :, :3] = 0
    number = np.arange(3)
    return Slices(image, torch.zeros(3, 8, 8, dtype=torch.int64), number, number.astype(str), number)


def test_each_slice_is_certified_behind_the_reformer_with_noise_and_threat_inside_the_brain(guard, slices, tmp_path):
    label, radius = certify_slices(guard, slices, **SETTINGS, work_dir=tmp_path)
    assert label.shape == radius.shape == (3, 8, 8)
    chain = nn.Sequential(guard.reformer, guard.segmenter)
    for row in range(3):
        image, generator = slices.image[row : row + 1], torch.Generator().manual_seed(row)
        expected = certify(chain, image, **SETTINGS, mask=image > 0, generator=generator)
        assert torch.equal(label[row], expected.label[0])
        assert torch.equal(radius[row], expected.radius[0])
    assert radius[slices.image[:, 0] == 0].isinf().all()


def test_a_run_that_was_stopped_computes_only_what_is_missing(guard, slices, tmp_path, monkeypatch):
    before = certify_slices(guard, slices, **SETTINGS, work_dir=tmp_path)
    (tmp_path / "1.npz").unlink()
    seen = []

    def counted(network, image, **options):
        seen.append(image)
        return certify(network, image, **options)

    monkeypatch.setattr(measured, "certify", counted)
    after = certify_slices(guard, slices, **SETTINGS, work_dir=tmp_path)
    assert len(seen) == 1
    assert torch.equal(seen[0], slices.image[1:2])
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
