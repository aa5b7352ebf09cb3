"""Whole volumes that something other than an attacker has spoilt: accidents, contrast, pose, missing parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from experiments.corruptions import CORRUPTIONS, corrupted
from experiments.screen.contrast_phantom import contrast_agent

__all__ = ["CAUSES", "SPOILT_VOLUMES", "changed_slices"]

AWAY = 20
EVERY = 10


def _motion(image: Tensor, pixels: float = 1.5) -> Tensor:
    """The object moves halfway through the scan: half of the lines of k-space have the phase of the new place."""
    lines = torch.fft.fftfreq(image.shape[-2])[:, None]
    phase = torch.where(lines > 0, 2 * math.pi * pixels * lines, 0.0)
    return torch.fft.ifft2(torch.fft.fft2(image) * torch.polar(torch.ones_like(phase), phase)).abs()


def _weak_lines(image: Tensor, gain: float = 0.4) -> Tensor:
    """Every second line of k-space is weaker, which lays a ghost half of the frame away."""
    lines = torch.where(torch.arange(image.shape[-2]) % 2 == 0, 1.0, gain)[:, None]
    return torch.fft.ifft2(torch.fft.fft2(image) * lines).abs()


def _inside(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda image: torch.where(image > 0, change(image).clamp(0, 1), 0.0)


def _half_missing(volume: Tensor) -> Tensor:
    left = volume.clone()
    left[..., : volume.shape[-2] // 2, :] = 0
    return left


def _dark_slices(volume: Tensor) -> Tensor:
    dark = volume.clone()
    dark[EVERY // 2 :: EVERY] *= 0.6
    return dark


SPOILT_VOLUMES: Mapping[str, Callable[[Tensor], Tensor]] = {
    **{name: lambda volume, name=name: corrupted(volume, name) for name in CORRUPTIONS},  # type: ignore[misc]
    "motion of 1.5 pixels": _inside(_motion),
    "every second line at 40 %": _weak_lines,
    "gamma 0.7": lambda volume: volume**0.7,
    "gamma 1.5": lambda volume: volume**1.5,
    "upside down": lambda volume: volume.flip(-1),
    "rotated by 90 degrees": lambda volume: volume.rot90(1, (-2, -1)),
    "mirrored": lambda volume: volume.flip(-2),
    "half missing": _half_missing,
    "slices from 2 cm away": lambda volume: volume.roll(AWAY, 0),
    "every tenth slice 0.6 as bright": _dark_slices,
    "contrast agent and a lesion": contrast_agent,
}
"""What each does to the slices of a volume ``(S, 1, X, Z)`` in [0, 1], right-left and inferior-superior."""

CAUSES: Mapping[str, tuple[str, ...]] = {
    "bias field": ("bias_field",),
    "blur": ("smooth",),
    "half the resolution": ("smooth",),
    "Gibbs ringing": ("smooth", "ghosting"),
    "spike in k-space": ("fine_pattern", "ghosting"),
    "squared intensities": ("intensity",),
    "inverted contrast": ("intensity", "foreign"),
    "every eighth row lost": ("ghosting", "fine_pattern"),
    "motion of 1.5 pixels": ("ghosting",),
    "every second line at 40 %": ("ghosting",),
    "gamma 0.7": ("intensity",),
    "gamma 1.5": ("intensity",),
    "upside down": ("anatomy",),
    "rotated by 90 degrees": ("anatomy",),
    "half missing": ("anatomy",),
    "slices from 2 cm away": ("anatomy",),
    "every tenth slice 0.6 as bright": ("intensity",),
    "contrast agent and a lesion": ("intensity", "foreign"),
}
"""Causes that name each rightly; what is not listed has none."""


def changed_slices(volume: Tensor, spoilt: Tensor) -> Tensor:
    """Which slices ``(S,)`` differ by more than rounding; both ``(S, 1, X, Z)``."""
    return ((volume - spoilt).abs() > 1e-3).flatten(1).any(dim=1)
