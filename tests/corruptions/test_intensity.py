from __future__ import annotations

import torch

from monai_advdefense.corruptions.intensity import bias_field, clipped_histogram, gamma_curve, inverted, scaled


def test_closed_forms():
    image = torch.linspace(0, 1, 11).view(1, 1, 11, 1)
    torch.testing.assert_close(gamma_curve(image, gamma=2.0), image**2)
    torch.testing.assert_close(inverted(image), 1 - image)
    torch.testing.assert_close(clipped_histogram(image, share=0.4), ((image - 0.2) / 0.6).clamp(0, 1))
    torch.testing.assert_close(scaled(image, factor=2.0), (2 * image).clamp(max=1))


def test_a_bias_field_is_smooth_and_the_same_for_all():
    field = bias_field(torch.ones(2, 1, 40, 40), coefficient=0.15)
    assert torch.equal(field[0], field[1])
    assert 0.1 < field.log().std() < 1
    assert (field.log().diff(n=4, dim=-1).abs() < 1e-4).all()  # a polynomial of degree 3
