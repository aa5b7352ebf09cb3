"""Profile of the spectrum: energy by frequency and direction, and how much single peaks stand out."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

__all__ = ["RINGS", "SECTORS", "beyond_native_nyquist", "spectrum_profile"]

RINGS = 24
SECTORS = 4
# Energy per pixel that an 8-bit image cannot show.
FLOOR = 1e-8


def spectrum_profile(image: Tensor, mask: Tensor, frame: tuple[int, int] | None = None) -> Tensor:
    """Logarithms of the energy per object pixel in 24 rings x 4 sectors, of peak over mean in each ring, and in all.

    The rings divide the frequencies from 0 to the Nyquist frequency of the grid evenly; the sectors of directions lie
    around the axes and the diagonals. The zero frequency and the corners beyond the rings are left out.

    Args:
        image: ``(B, C, H, W)`` in [0, 1], 0 outside of the object.
        mask: the object ``(B, 1, H, W)``, bool.
        frame: size to which the image is filled up with 0: a cut image has the profile of the whole; None is its own.

    Returns:
        ``(B, C * 121)``: for each channel 96 energies, 24 peaks and the energy of all rings. Differentiable.

    Example:
        >>> wave = torch.cos(torch.arange(64.0) * math.pi / 2).expand(1, 1, 64, 64)  # half of Nyquist's frequency
        >>> profile = spectrum_profile(wave, torch.ones(1, 1, 64, 64, dtype=torch.bool))
        >>> int(profile[0, :96].argmax()) // SECTORS
        12
    """
    batch, channels = image.shape[:2]
    height, width = frame or (image.shape[2], image.shape[3])
    # Where in the frame the image lies changes the phase alone.
    energy = torch.fft.rfft2(image, s=(height, width)).abs().square().flatten(2)
    pixels = mask.flatten(1).sum(dim=1).clamp_min(1).view(-1, 1, 1)
    # Divided by the size of the frame, so that the sum over all frequencies is the sum of squares over the image.
    energy = energy / (pixels * (height * width))
    places, weight = _bins(height, width, image.device)
    padded = torch.cat([energy, energy.new_zeros(batch, channels, 1)], dim=2)
    binned = padded[:, :, places] * weight
    rings_sectors = binned.sum(dim=-1)
    rings = rings_sectors.unflatten(2, (RINGS, SECTORS)).sum(dim=-1)
    count = (weight > 0).sum(dim=-1).view(RINGS, SECTORS).sum(dim=-1).clamp_min(1)
    peak = binned.amax(dim=-1).unflatten(2, (RINGS, SECTORS)).amax(dim=-1)
    values = [
        torch.log(rings_sectors + FLOOR / (RINGS * SECTORS)),
        torch.log((peak + FLOOR / 100) / (rings / count + FLOOR / 100)),
        torch.log(rings.sum(dim=-1, keepdim=True) + FLOOR),
    ]
    return torch.cat(values, dim=-1).flatten(1)


def beyond_native_nyquist(channels: int, cutoff: float) -> Tensor:
    """Which numbers of :func:`spectrum_profile` describe frequencies that the scan did not hold, ``(C * 121,)`` bool.

    Args:
        channels: number of channels.
        cutoff: Nyquist frequency of the native pixels as a share of that of the grid; 1 and more leaves nothing out.
    """
    ring = torch.arange(RINGS, dtype=torch.float32) / RINGS >= cutoff
    return torch.cat([ring.repeat_interleave(SECTORS), ring, torch.tensor([False])]).repeat(channels)


@functools.lru_cache(maxsize=8)
def _bins(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Indices into the flat half spectrum ``(RINGS * SECTORS, N)`` of each bin, and the weight of each place."""
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    radius, angle = torch.hypot(rows, columns), torch.atan2(rows, columns)
    ring = (radius * 2 * RINGS).long()
    sector = ((angle / math.pi * SECTORS + 0.5).floor() % SECTORS).long()
    ring[0, 0] = RINGS
    # A place of the half spectrum stands for two of the whole, but for those on the axis of symmetry.
    twice = torch.full((height, width // 2 + 1), 2.0)
    twice[:, 0] = 1
    if width % 2 == 0:
        twice[:, -1] = 1
    number = torch.where(ring < RINGS, ring * SECTORS + sector, RINGS * SECTORS).flatten()
    longest = int(torch.bincount(number, minlength=RINGS * SECTORS)[:-1].max()) if number.numel() else 0
    places = torch.full((RINGS * SECTORS, longest), number.numel())
    for bin_ in range(RINGS * SECTORS):
        found = torch.nonzero(number == bin_).flatten()
        places[bin_, : len(found)] = found
    weight = torch.cat([twice.flatten(), torch.zeros(1)])[places]
    return places.to(device), weight.to(device)
