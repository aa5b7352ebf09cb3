from __future__ import annotations

import torch

from monai_advdefense.corruptions.resolution import blurred, low_resolution, thick_slices


def test_even_images_stay_as_they_are():
    for image in (torch.full((1, 1, 24, 24), 0.4), torch.full((1, 1, 8, 8, 8), 0.4)):
        torch.testing.assert_close(low_resolution(image, zoom=0.5), image)
        torch.testing.assert_close(thick_slices(image, thickness=3), image)
    torch.testing.assert_close(blurred(image, sigma=0.1), image)


def test_thick_slices_are_means_and_leave_the_other_axes_sharp():
    image = torch.rand(2, 1, 5, 6, 9)
    thick = thick_slices(image, thickness=3)
    torch.testing.assert_close(thick[..., 1::3], image.unflatten(-1, (3, 3)).mean(-1))
    across = thick_slices(image[:, :, :, :1], thickness=3)
    torch.testing.assert_close(across, thick[:, :, :, :1])
