from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_advdefense.attacks.balls import intensity_curve
from monai_advdefense.errors import InputError
from tests.attacks.balls.drawn import images, seeded


def test_brighter_and_darker_are_never_exchanged():
    image = images(16, 16, low=-3.0, high=2.0)[:, :1]
    ball = intensity_curve(image, 3.0)
    for seed in range(5):
        found = ball.image(ball.project(100 * torch.randn(ball.start().shape, generator=seeded(seed))))
        before, order = image.flatten(2).sort(2)
        after = found.flatten(2).gather(2, order)
        assert (after.diff(dim=2) >= -1e-5).all()
        torch.testing.assert_close(after[..., [0, -1]], before[..., [0, -1]], atol=1e-5, rtol=0)


def test_values_are_interpolated_between_the_nodes_of_each_channel():
    image = images(6, 5).double()
    ball = intensity_curve(image, 0.2, bounds=(0.0, 1.0), pieces=4)
    shifts = ball.project(torch.randn(3, 2, 3, generator=seeded(), dtype=torch.float64))
    nodes = np.linspace(0, 1, 5)
    found = ball.image(shifts)
    for sample, channel in np.ndindex(3, 2):
        curve = nodes + np.pad(shifts[sample, channel].numpy(), 1)
        expected = np.interp(image[sample, channel].numpy(), nodes, curve)
        np.testing.assert_allclose(found[sample, channel].numpy(), expected, atol=1e-12)


def test_a_curve_of_one_piece_is_named():
    with pytest.raises(InputError, match="pieces: expected at least 2, found 1"):
        intensity_curve(images(4), 0.1, pieces=1)
