from __future__ import annotations

import pytest
import torch

from monai_advdefense.corruptions import CORRUPTIONS

EVERY = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS)
GRADED = {name: corruption for name, corruption in CORRUPTIONS.items() if corruption.graded}


def test_there_are_enough():
    assert len(CORRUPTIONS) >= 25


@EVERY
def test_a_sample_does_not_depend_on_the_others_nor_on_earlier_calls(corruption, slices):
    image, _ = slices
    together = corruption.change(image, 0.5)
    torch.testing.assert_close(corruption.change(image[1:2], 0.5), together[1:2])
    assert together.shape == image.shape


@pytest.mark.parametrize("corruption", GRADED.values(), ids=GRADED)
def test_the_dial_begins_at_nothing(corruption, slices):
    image, _ = slices
    least, worst = ((corruption.change(image, severity) - image).norm() for severity in (1e-6, 1.0))
    assert least < 0.5 * worst


@EVERY
def test_what_moves_the_body_moves_labels_without_new_classes(corruption, slices):
    image, label = slices
    if corruption.move is not None:
        moved = corruption.move(label, 0.8)
        assert set(moved.unique().tolist()) <= {0, *label.unique().tolist()}
        assert not torch.equal(moved, label)
