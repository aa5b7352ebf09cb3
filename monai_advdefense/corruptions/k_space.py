"""What goes wrong while a magnetic resonance image is sampled, line by line of k-space.

The second to last axis of an image is that of phase encoding: lines of k-space follow each other along it.
"""

from __future__ import annotations

import math

import torch
from monai.transforms import GibbsNoise, Rotate
from torch import Tensor

from monai_advdefense.corruptions.each_sample import each_sample

__all__ = [
    "aliased",
    "cut_field_of_view",
    "ghosted",
    "gibbs_ringing",
    "lost_rows",
    "missing_ring",
    "moved",
    "rf_interference",
    "rf_noise",
    "spike",
]


def gibbs_ringing(image: Tensor, *, alpha: float) -> Tensor:
    """Cut high frequencies of ``image`` ``(B, C, *spatial)``; ``alpha`` 0 keeps all of a slice, 1 none.

    MONAI's sphere cuts the corners of a volume's spectrum even at 0, see ``findings/monai-gibbs-noise.sh``.
    """
    return each_sample(GibbsNoise(alpha=alpha), image)


def spike(image: Tensor, *, amplitude: float) -> Tensor:
    """Add a plane wave, which a spike in k-space is, to ``image`` ``(B, C, *spatial)``."""
    row, column = (torch.arange(length, dtype=image.dtype, device=image.device) for length in image.shape[-2:])
    return image + amplitude * torch.cos(2 * math.pi * (0.21 * row[:, None] + 0.13 * column))


def ghosted(image: Tensor, *, gain: float, every: int = 4) -> Tensor:
    """Weaken every n-th line of k-space of ``image`` ``(B, C, *spatial)``, which lays ghosts beside it.

    The same as a periodic change of the object, by breath or pulse.
    """
    lines = torch.where(torch.arange(image.shape[-2], device=image.device) % every == 0, gain, 1.0)[:, None]
    return torch.fft.ifft(torch.fft.fft(image, dim=-2) * lines, dim=-2).abs()


def moved(image: Tensor, *, pixels: float, degrees: float) -> Tensor:
    """Shift and turn the object of ``image`` ``(B, C, *spatial)`` while the upper half of k-space is sampled.

    Source:
        Composite k-space of several poses: Shaw et al., "MRI k-space motion artefact augmentation" (MIDL 2019).
    """
    lines = torch.fft.fftfreq(image.shape[-2], device=image.device)[:, None]
    angle = math.radians(degrees)
    turned = each_sample(Rotate(angle if image.ndim == 4 else (angle, 0.0, 0.0)), image) if degrees else image
    shifted = torch.fft.fft(turned, dim=-2) * torch.polar(torch.ones_like(lines), -2 * math.pi * pixels * lines)
    return torch.fft.ifft(torch.where(lines > 0, shifted, torch.fft.fft(image, dim=-2)), dim=-2).abs()


def rf_noise(image: Tensor, *, sigma: float) -> Tensor:
    """Add complex white noise to ``image`` ``(B, C, *spatial)`` and take the magnitude: Rician noise."""
    generator = torch.Generator().manual_seed(0)
    real, imaginary = (sigma * torch.randn((2, 1, *image.shape[1:]), generator=generator)).to(image)
    return torch.hypot(image + real, imaginary)


def rf_interference(image: Tensor, *, amplitude: float) -> Tensor:
    """Add the zipper of a foreign radio frequency to ``image`` ``(B, C, *spatial)``: noise along single rows."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((1, *image.shape[1:-2], 1, image.shape[-1]), generator=generator).to(image)
    row = torch.arange(image.shape[-2], device=image.device)[:, None]
    return image + amplitude * noise * (row % 16 < 2)


def aliased(image: Tensor, *, share: float) -> Tensor:
    """Fold what lies outside of a field of view smaller by ``share`` onto its other side; ``(B, C, *spatial)``.

    Example:
        >>> aliased(torch.tensor([1.0, 2, 3, 4, 5, 6]).view(1, 1, 6, 1), share=1 / 3).flatten().tolist()
        [0.0, 8.0, 3.0, 4.0, 6.0, 0.0]
    """
    side = image.shape[-2]
    cut = _cut(side, share)
    folded = cut_field_of_view(image, share=share)
    folded[..., side - 2 * cut : side - cut, :] += image[..., :cut, :]
    folded[..., cut : 2 * cut, :] += image[..., side - cut :, :]
    return folded


def cut_field_of_view(image: Tensor, *, share: float) -> Tensor:
    """Set to 0 what lies outside of a field of view smaller by ``share``; ``(B, C, *spatial)``."""
    cut = _cut(image.shape[-2], share)
    left = image.clone()
    left[..., :cut, :] = 0
    left[..., image.shape[-2] - cut :, :] = 0
    return left


def _cut(side: int, share: float) -> int:
    """Lines that fall out at either end; a part can be folded once."""
    return min(round(side * share / 2), side // 4)


def missing_ring(image: Tensor, *, width: float) -> Tensor:
    """Lose a ring of lines of k-space of ``image`` ``(B, C, *spatial)``, as wide as ``width`` cycles per pixel.

    It lies around the zero frequency from 0.02 cycles per pixel on; the zero frequency stays.
    """
    rows, columns = (torch.fft.fftfreq(length, device=image.device) for length in image.shape[-2:])
    radius = torch.hypot(rows[:, None], columns)
    lost = (radius >= 0.02) & (radius < 0.02 + width)
    return torch.fft.ifft2(torch.fft.fft2(image).masked_fill(lost, 0.0)).abs()


def lost_rows(image: Tensor, *, left: float = 0.0, every: int = 8) -> Tensor:
    """Multiply every n-th row of ``image`` ``(B, C, *spatial)`` by ``left``."""
    kept = image.clone()
    kept[..., ::every, :] *= left
    return kept
