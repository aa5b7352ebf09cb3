from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import binary_erosion, uniform_filter

from monai_advdefense.guard.scores.foreground import (
    area,
    box_sum,
    crop_to_foreground,
    eroded,
    foreground,
    slice_position,
)


def _mask():
    generator = torch.Generator().manual_seed(0)
    blob = torch.zeros(2, 1, 40, 50)
    blob[0, 0, 5:30, 10:45] = 1
    blob[1, 0, 0:20, 3:20] = 1
    return (blob * (torch.rand(blob.shape, generator=generator) > 0.005)).bool()


def test_erosion_is_that_of_scipy():
    mask = _mask()
    for pixels in (1, 3):
        expected = [binary_erosion(m.numpy(), np.ones((2 * pixels + 1,) * 2)) for m in mask[:, 0]]
        assert torch.equal(eroded(mask, pixels)[:, 0], torch.from_numpy(np.stack(expected)))


def test_box_sum_is_that_of_scipy():
    image = torch.rand(1, 1, 17, 23, dtype=torch.float64)
    expected = 25 * uniform_filter(image[0, 0].numpy(), 5, mode="constant")
    torch.testing.assert_close(box_sum(image, 2)[0, 0], torch.from_numpy(expected))


def test_foreground_ignores_residue_and_takes_any_channel():
    image = torch.zeros(1, 2, 4, 4)
    image[0, 0, 0, 0], image[0, 1, 1, 1], image[0, 0, 2, 2] = 1e-7, 0.3, 0.9
    assert foreground(image).nonzero()[:, 2:].tolist() == [[1, 1], [2, 2]]
    assert area(foreground(image), (0.5, 2.0)).tolist() == [2.0]


def test_crop_holds_the_mask_on_a_fixed_grid():
    mask = torch.zeros(1, 1, 64, 60, dtype=torch.bool)
    mask[0, 0, 21:40, 30:58] = True
    image = torch.rand(1, 1, 64, 60)
    cut, cut_mask = crop_to_foreground(image, mask)
    assert torch.equal(cut, image[..., 16:48, 24:60])
    assert cut_mask.sum() == mask.sum()


def test_position_is_within_the_extent():
    assert slice_position(torch.tensor([0.0, 5.0, 0.0, 5.0, 0.0])).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert slice_position(torch.tensor([0.0, 5.0])).tolist() == [0.5, 0.5]
