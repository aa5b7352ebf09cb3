from __future__ import annotations

import pytest
import torch

from monai_advdefense.corruptions.geometry import missing_part, rotated, swapped_slices, wrong_spacing


@pytest.mark.parametrize("spatial", [(9, 8), (9, 8, 8)])
def test_a_quarter_turn_moves_image_and_label_alike(spatial):
    label = torch.randint(5, (2, 1, *spatial[:-2], 8, 8), generator=torch.Generator().manual_seed(0))
    turned = label.rot90(-1, (-2, -1))
    assert torch.equal(rotated(label, degrees=90), turned)
    torch.testing.assert_close(rotated(label.float(), degrees=90), turned.float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("spatial", [(16, 16), (16, 16, 16)])
def test_half_the_size(spatial):
    label = torch.full((1, 1, *spatial), 3)
    small = wrong_spacing(label, factor=0.5)
    assert small.dtype == label.dtype
    assert small.unique().tolist() == [0, 3]
    assert (small > 0).sum() == label.numel() / 2 ** len(spatial)
    assert wrong_spacing(label.float(), factor=0.5).shape == label.shape


def test_slices_are_exchanged_in_pairs():
    image = torch.arange(7).view(1, 1, 1, 7)
    assert swapped_slices(image, width=1).flatten().tolist() == [1, 0, 3, 2, 5, 4, 6]
    assert swapped_slices(image, width=3).flatten().tolist() == [3, 4, 5, 0, 1, 2, 6]
    assert torch.equal(swapped_slices(image, width=0), image)


def test_a_missing_half():
    image = torch.ones(1, 1, 6, 4)
    assert missing_part(image, share=0.5).mean((1, 3)).flatten().tolist() == [0, 0, 0, 1, 1, 1]
