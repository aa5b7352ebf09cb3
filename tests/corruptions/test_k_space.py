from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.corruptions.k_space import (
    aliased,
    cut_field_of_view,
    ghosted,
    lost_rows,
    missing_ring,
    moved,
    rf_interference,
    rf_noise,
    spike,
)


@pytest.fixture
def image():
    return torch.rand(2, 2, 24, 20, generator=torch.Generator().manual_seed(0))


def test_weaker_lines_are_ghosts_a_part_of_the_frame_away(image):
    every, gain = 4, 0.4
    ghosts = sum(image.roll(24 * step // every, -2) for step in range(every)) / every
    torch.testing.assert_close(ghosted(image, gain=gain, every=every), (image - (1 - gain) * ghosts).abs())
    torch.testing.assert_close(ghosted(image, gain=1.0), image)


def test_who_does_not_move_is_sharp(image):
    torch.testing.assert_close(moved(image, pixels=0.0, degrees=0.0), image)


def test_half_of_the_lines_see_the_new_place():
    # One frequency of the upper half alone: a complex wave, of which only the phase changes.
    wave = 1 + torch.cos(2 * math.pi * torch.arange(24.0) * 3 / 24).view(1, 1, 24, 1).expand(1, 1, 24, 8)
    shifted = moved(wave, pixels=8.0, degrees=0.0)  # a whole period
    torch.testing.assert_close(shifted, wave)
    assert (moved(wave, pixels=4.0, degrees=0.0) - wave).abs().max() > 0.5


def test_motion_of_a_volume_turns_each_plane_of_the_last_axes():
    volume = torch.zeros(1, 1, 3, 24, 20)
    volume[..., 1, 6:18, 5:15] = 1
    spoilt = moved(volume, pixels=1.0, degrees=5.0)
    torch.testing.assert_close(spoilt[:, :, 1], moved(volume[:, :, 1], pixels=1.0, degrees=5.0), atol=1e-4, rtol=0)


def test_what_is_outside_of_the_field_of_view_is_folded(image):
    share = 0.25
    folded = aliased(image, share=share)
    assert (folded[..., :3, :] == 0).all()
    torch.testing.assert_close(folded.sum((-2, -1)), image.sum((-2, -1)))
    assert (cut_field_of_view(image, share=share)[..., 3:-3, :] == image[..., 3:-3, :]).all()
    assert torch.equal(aliased(image, share=0.0), image)


def test_the_mean_survives_a_missing_ring(image):
    wave = 0.5 + 0.3 * torch.cos(2 * math.pi * torch.arange(40.0) * 4 / 40).view(1, 1, 1, 40).expand(1, 1, 40, 40)
    torch.testing.assert_close(missing_ring(wave, width=0.1), torch.full_like(wave, 0.5))
    torch.testing.assert_close(missing_ring(wave, width=0.01), wave)


def test_noise_of_a_black_image_is_rayleigh():
    noise = rf_noise(torch.zeros(1, 1, 200, 200), sigma=0.1)
    assert noise.mean().item() == pytest.approx(0.1 * math.sqrt(math.pi / 2), rel=0.02)


def test_a_spike_is_one_point_of_k_space():
    added = spike(torch.zeros(1, 1, 100, 100), amplitude=0.5)[0, 0]
    power = torch.fft.fft2(added).abs().flatten().sort(descending=True).values
    assert power[0] == power[1] > 1e4 * power[2]


def test_rows(image):
    assert (lost_rows(image)[..., ::8, :] == 0).all()
    zipper = rf_interference(image, amplitude=1.0) - image
    assert (zipper.abs().amax((0, 1, 3)) > 0.01).nonzero().flatten().tolist() == [0, 1, 16, 17]
