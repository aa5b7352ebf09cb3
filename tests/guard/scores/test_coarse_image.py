from __future__ import annotations

import torch

from monai_advdefense.guard.scores.coarse_image import coarse_image


def test_cells_are_means_and_the_mask_stands_behind():
    image = torch.zeros(1, 1, 32, 48)
    image[..., :2, :3] = 0.8
    found = coarse_image(image, image > 0)
    assert found.shape == (1, 512)
    torch.testing.assert_close(found[0, 0], torch.tensor(0.8))
    assert found[0, 256] == 1
    assert found.count_nonzero() == 2
