from __future__ import annotations

import pytest
import torch

from experiments.bundles import BUNDLES
from experiments.defences.listed import defences_of, submitted
from monai_advdefense.errors import InputError


def test_the_listed_defences_take_slices_and_have_gradients():
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    for name, defence in defences_of(BUNDLES).items():
        network = defence(BUNDLES)
        logits = getattr(network, "segmenter", network)(image)
        assert logits.shape == (1, 28, 32, 32), name
        (gradient,) = torch.autograd.grad(logits.square().mean(), image)
        assert gradient.abs().sum() > 0, name


def test_defences_without_weights_are_no_rows(tmp_path):
    shipped = set(defences_of(tmp_path))
    for name, more in (
        ("brain_mri_reformer", 2),
        ("brain_mri_segmentation", 4),
        ("brain_mri_defended_segmentation", 5),
    ):
        folder = tmp_path / name / "models" / "adversarial"
        folder.mkdir(parents=True)
        (folder / "model.pt").touch()
        assert len(defences_of(tmp_path)) == len(shipped) + more


def test_rows_from_outside():
    name, defence = submitted("mine=experiments.defences.listed:defences_of")
    assert (name, defence) == ("mine", defences_of)
    for text in ("mine", "mine=nowhere:build", "mine=experiments.defences.listed:nothing"):
        with pytest.raises(InputError, match="--add: expected NAME=package.module:function"):
            submitted(text)
