from __future__ import annotations

import pytest
import torch

from monai_advdefense.guard.mark_rejected import accepted_slices, accepted_voxels, mark_rejected, with_rejected

CLASSES = 3


@pytest.mark.parametrize("sides", [(5, 6), (3, 4, 5)])
def test_labels_of_accepted_samples_stay_blank_ones_are_background_and_the_rest_is_the_class_behind(sides):
    logits = torch.randn(4, CLASSES, *sides, generator=torch.Generator().manual_seed(0))
    accepted, blank = torch.tensor([True, True, False, False]), torch.tensor([False, True, False, True])
    guarded = with_rejected(logits, accepted, blank)
    labels = guarded.argmax(1)
    assert guarded.shape == (4, CLASSES + 1, *sides)
    assert torch.equal(guarded[0, :-1], logits[0])
    assert torch.equal(labels[0], logits[0].argmax(0))
    assert (labels[1] == 0).all()
    assert (labels[2:] == CLASSES).all()


def test_logits_that_are_not_finite_stay_out_of_rejected_samples():
    logits = torch.full((2, CLASSES, 4, 4), torch.nan)
    guarded = with_rejected(logits, torch.tensor([False, True]), torch.tensor([False, True]))
    assert guarded.isfinite().all()


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
def test_what_is_marked_is_read_back(slice_dim):
    label = torch.randint(CLASSES, (1, 4, 5, 6), generator=torch.Generator().manual_seed(0))
    accepted = torch.arange(label.shape[slice_dim + 1]) % 3 != 1
    marked = mark_rejected(label, accepted, CLASSES, slice_dim)
    assert torch.equal(accepted_slices(marked, CLASSES, slice_dim), accepted)
    keep = accepted_voxels(marked, CLASSES)
    assert torch.equal(keep.movedim(slice_dim + 1, 0).flatten(1).all(1), accepted)
    assert torch.equal(marked[keep], label[keep])
    assert keep.sum() == label.numel() // len(accepted) * accepted.sum()


def test_one_marked_voxel_rejects_its_slice():
    label = torch.zeros(1, 4, 5, 6)
    label[0, 1, 2, 3] = CLASSES
    assert accepted_slices(label, CLASSES, 1).tolist() == [True, True, False, True, True]
