from __future__ import annotations

import torch

from monai_advdefense.corruptions.lesion import lesion


def test_a_white_ball_beside_the_center_of_the_body():
    image = torch.zeros(1, 2, 40, 44)
    image[..., 5:25, 10:30] = 0.3
    drawn = lesion(image, radius=4.0)
    inside = drawn > 0.9
    place = inside[0, 0].nonzero().float().mean(0)
    torch.testing.assert_close(place, torch.tensor([14.5, 19.5 + 40 / 6]), atol=0.3, rtol=0)
    assert torch.equal(inside[:, 0], inside[:, 1])
    torch.testing.assert_close(drawn[..., 12, 12], image[..., 12, 12], atol=1e-3, rtol=0)


def test_a_blank_volume_stays_blank():
    blank = torch.zeros(1, 1, 8, 8, 8)
    assert torch.equal(lesion(blank, radius=3.0), blank)
