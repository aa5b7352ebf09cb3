"""Synthetic band-limited noise, for a score that must know faint noise without having seen an attack."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["band_limited_noise"]

# Root mean square over the object, in units of the image: 0.3 to 2 as L2 norm over 13 000 pixels.
SMALLEST = 0.0026
LARGEST = 0.0175


def band_limited_noise(image: Tensor, mask: Tensor, *, generator: torch.Generator) -> Tensor:
    """Add noise of a random band of frequencies and a random strength to each slice, half of them in blobs.

    Args:
        image: ``(B, C, H, W)`` in [0, 1].
        mask: the object ``(B, 1, H, W)``, bool; the noise is added inside.
        generator: source of the draws.

    Returns:
        Noisy images of the same shape, in [0, 1].
    """
    batch, _, height, width = image.shape
    radius = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None])
    low, span, strength, blobs = (torch.rand(batch, 1, 1, 1, generator=generator) for _ in range(4))
    low = 0.35 * low
    high = low + 0.08 + (0.72 - low) * span
    noise = _filtered(torch.randn(image.shape, generator=generator), ((radius >= low) & (radius < high)).float())
    spots = _filtered(torch.randn(batch, 1, height, width, generator=generator), (radius < 0.04).float())
    spots = (spots / spots.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-9)).clamp_min(0)
    noise = torch.where(blobs < 0.5, noise, noise * spots) * mask
    size = noise.square().sum(dim=(1, 2, 3), keepdim=True) / mask.flatten(1).sum(dim=1).clamp_min(1).view(-1, 1, 1, 1)
    rms = SMALLEST * (LARGEST / SMALLEST) ** strength
    return (image + noise * rms / size.sqrt().clamp_min(1e-9)).clamp(0, 1)


def _filtered(noise: Tensor, gain: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(noise) * gain, s=noise.shape[-2:])
