"""Synthetic faults with random strengths, on which is fitted what sees them and tells likely causes apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from monai.transforms import GaussianSmooth, GibbsNoise, RandBiasField, RandSimulateLowResolution
from monai.utils import convert_to_tensor
from torch import Tensor

from monai_advdefense.guard.scores.foreground import foreground
from monai_advdefense.guard.scores.synthetic_noise import band_limited_noise

__all__ = ["FAULT_CAUSES", "SYNTHETIC_FAULTS"]


def _draw(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _coin(generator: torch.Generator) -> bool:
    return bool(torch.rand((), generator=generator) < 0.5)


def _noise(image: Tensor, generator: torch.Generator) -> Tensor:
    noisy = band_limited_noise(image[None], foreground(image[None]), generator=generator)[0]
    return image + _draw(1, 8, generator) * (noisy - image)


def _wave(image: Tensor, generator: torch.Generator) -> Tensor:
    """A spike in k-space."""
    rows, columns = (torch.arange(length) * _draw(-0.45, 0.45, generator) for length in image.shape[1:])
    return image + _draw(0.02, 0.15, generator) * torch.cos(2 * math.pi * (rows[:, None] + columns[None]))


def _blur(image: Tensor, generator: torch.Generator) -> Tensor:
    return torch.as_tensor(GaussianSmooth(_draw(0.6, 2, generator))(image))


def _low_resolution(image: Tensor, generator: torch.Generator) -> Tensor:
    if _coin(generator):
        return torch.as_tensor(GibbsNoise(_draw(0.5, 0.8, generator))(image))
    zoom = _draw(0.4, 0.8, generator)
    low_resolution = RandSimulateLowResolution(prob=1.0, zoom_range=(zoom, zoom), upsample_mode="bilinear")
    return torch.as_tensor(low_resolution(image))


def _bright(image: Tensor, generator: torch.Generator) -> Tensor:
    return image ** math.exp(-_draw(0.2, 0.7, generator))


def _dark(image: Tensor, generator: torch.Generator) -> Tensor:
    return image ** math.exp(_draw(0.2, 0.7, generator))


def _scaled(image: Tensor, generator: torch.Generator) -> Tensor:
    return image * _draw(0.4, 0.85, generator)


def _inverted(image: Tensor, generator: torch.Generator) -> Tensor:
    return 1 - image * _draw(0.7, 1, generator)


def _motion(image: Tensor, generator: torch.Generator) -> Tensor:
    """Motion during a part of the scan gives its lines of k-space the phase of another place."""
    start, way = _draw(-0.3, 0.1, generator), _draw(0.8, 4, generator)

    def gain(lines: Tensor) -> Tensor:
        phase = torch.where(lines > start, 2 * math.pi * way * lines, 0.0)
        return torch.polar(torch.ones_like(phase), phase)

    return _with_lines(image, gain, generator)


def _weak_lines(image: Tensor, generator: torch.Generator) -> Tensor:
    """Every n-th line of k-space stays as it is, the others are weaker: ghosts."""
    every, share = 2 + int(3 * torch.rand((), generator=generator)), _draw(0.2, 0.7, generator)

    def gain(lines: Tensor) -> Tensor:
        kept = torch.arange(len(lines))[:, None] % every == 0
        return torch.where(kept, 1.0, share).to(torch.complex64)

    return _with_lines(image, gain, generator)


def _with_lines(image: Tensor, gain: Callable[[Tensor], Tensor], generator: torch.Generator) -> Tensor:
    """Multiply the lines of k-space along one of the axes."""
    axis = -2 if _coin(generator) else -1
    turned = image.transpose(axis, -2)
    lines = torch.fft.fftfreq(turned.shape[-2])[:, None]
    return torch.fft.ifft2(torch.fft.fft2(turned) * gain(lines)).abs().transpose(axis, -2)


def _lost_rows(image: Tensor, generator: torch.Generator) -> Tensor:
    every = 4 + int(8 * torch.rand((), generator=generator))
    left = image.clone()
    left.transpose(-2, -2 if _coin(generator) else -1)[:, ::every] = 0
    return left


def _bias_field(image: Tensor, generator: torch.Generator) -> Tensor:
    strength = _draw(0.08, 0.3, generator)
    field = RandBiasField(prob=1.0, degree=3, coeff_range=(-strength, strength))
    field.set_random_state(int(torch.randint(2**31, (), generator=generator)))
    return torch.as_tensor(field(image))


def _flipped(image: Tensor, generator: torch.Generator) -> Tensor:
    return image.flip(-1) if _coin(generator) else image.flip(-2, -1)


def _turned(image: Tensor, generator: torch.Generator) -> Tensor:
    if image.shape[-1] != image.shape[-2]:
        return image.flip(-1)
    return image.rot90(1 if _coin(generator) else -1, (-2, -1))


def _cut(image: Tensor, generator: torch.Generator) -> Tensor:
    """A part of the object is missing."""
    rows, columns = (torch.linspace(-1, 1, length) for length in image.shape[1:])
    angle = _draw(0, 2 * math.pi, generator)
    kept = rows[:, None] * math.cos(angle) + columns[None] * math.sin(angle) < _draw(-0.1, 0.3, generator)
    return image * kept


_FAULTS: Mapping[str, tuple[str, Callable[[Tensor, torch.Generator], Tensor]]] = {
    "noise": ("fine_pattern", _noise),
    "wave": ("fine_pattern", _wave),
    "blur": ("smooth", _blur),
    "low_resolution": ("smooth", _low_resolution),
    "bright": ("intensity", _bright),
    "dark": ("intensity", _dark),
    "scaled": ("intensity", _scaled),
    "inverted": ("intensity", _inverted),
    "motion": ("ghosting", _motion),
    "weak_lines": ("ghosting", _weak_lines),
    "ghost": ("ghosting", _weak_lines),
    "lost_rows": ("ghosting", _lost_rows),
    "field": ("bias_field", _bias_field),
    "flipped": ("anatomy", _flipped),
    "turned": ("anatomy", _turned),
    "cut": ("anatomy", _cut),
}

FAULT_CAUSES: Mapping[str, str] = {name: cause for name, (cause, _) in _FAULTS.items()}
"""The likely cause that each fault stands for."""


def _inside(name: str) -> Callable[[Tensor, torch.Generator], Tensor]:
    def spoil(image: Tensor, generator: torch.Generator) -> Tensor:
        # MONAI's transforms return MetaTensors, on which each later step would take longer.
        spoilt = torch.stack([convert_to_tensor(_FAULTS[name][1](slice_, generator)) for slice_ in image])
        # Skull-stripped images stay so, whatever was done before; a pose moves the object, a ghost lies beside it.
        moved = name == "ghost" or FAULT_CAUSES[name] == "anatomy"
        return (spoilt if moved else spoilt * (image > 0)).clamp(0, 1)

    return spoil


SYNTHETIC_FAULTS: Mapping[str, Callable[[Tensor, torch.Generator], Tensor]] = {name: _inside(name) for name in _FAULTS}
"""For each fault: from slices ``(B, C, H, W)`` in [0, 1] and a generator to spoilt slices, each with its own draw."""
