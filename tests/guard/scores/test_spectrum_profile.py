from __future__ import annotations

import math

import torch
from torch.nn.functional import pad

from monai_advdefense.guard.scores.spectrum_profile import RINGS, SECTORS, beyond_native_nyquist, spectrum_profile


def _noise(height=48, width=64, seed=0):
    return torch.randn(2, 1, height, width, generator=torch.Generator().manual_seed(seed))


def test_total_is_the_energy_per_pixel_within_the_rings():
    image = _noise()
    mask = torch.zeros(2, 1, 48, 64, dtype=torch.bool)
    mask[..., :24, :] = True
    radius = torch.hypot(torch.fft.fftfreq(48)[:, None], torch.fft.fftfreq(64)[None])
    gain = ((radius < 0.5) & (radius > 0)).float()
    inside = torch.fft.ifft2(torch.fft.fft2(image) * gain).real
    expected = (inside.square().sum(dim=(1, 2, 3)) / (24 * 64)).log()
    torch.testing.assert_close(spectrum_profile(image, mask)[:, -1], expected, rtol=1e-4, atol=1e-4)


def test_direction_and_frequency_of_a_wave_are_told():
    place = torch.arange(64.0)
    for rows, columns, sector in ((0.25, 0.0, 2), (0.0, 0.25, 0), (0.2, 0.2, 1), (-0.2, 0.2, 3)):
        wave = torch.cos(2 * math.pi * (rows * place[:, None] + columns * place[None]))[None, None]
        largest = int(spectrum_profile(wave, torch.ones(1, 1, 64, 64, dtype=torch.bool))[0, : RINGS * SECTORS].argmax())
        assert largest % SECTORS == sector
        assert largest // SECTORS == int(math.hypot(rows, columns) * 2 * RINGS)


def test_peaks_stand_out_of_noise():
    place = torch.arange(64.0)
    noise = _noise(64, 64)
    wave = torch.cos(2 * math.pi * 0.25 * place)[None, None, None]
    mask = torch.ones(2, 1, 64, 64, dtype=torch.bool)
    peaks = slice(RINGS * SECTORS, RINGS * SECTORS + RINGS)
    gain = (spectrum_profile(noise + 0.3 * wave, mask) - spectrum_profile(noise, mask))[:, peaks]
    assert (gain.argmax(dim=1) == RINGS // 2).all()


def test_a_cut_image_in_its_frame_has_the_profile_of_the_whole():
    image = _noise(24, 40)
    mask = torch.ones(2, 1, 24, 40, dtype=torch.bool)
    whole = spectrum_profile(pad(image, (9, 15, 3, 37)), pad(mask, (9, 15, 3, 37)))
    torch.testing.assert_close(spectrum_profile(image, mask, (64, 64)), whole, rtol=1e-3, atol=1e-3)


def test_what_lies_beyond_the_native_nyquist_frequency():
    beyond = beyond_native_nyquist(2, 0.5)
    assert beyond.sum() == 2 * (12 * SECTORS + 12)
    assert not beyond[: 12 * SECTORS].any()
    assert not beyond_native_nyquist(1, 1.0).any()
