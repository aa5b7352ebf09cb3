"""Accidents: slices that something other than an attacker has spoilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from monai_advdefense.corruptions.intensity import bias_field, gamma_curve, inverted
from monai_advdefense.corruptions.k_space import gibbs_ringing, lost_rows, spike
from monai_advdefense.corruptions.resolution import blurred, low_resolution
from monai_advdefense.messages import broken_rule

CORRUPTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "bias field": lambda image: bias_field(image, coefficient=0.15),
    "blur": lambda image: blurred(image, sigma=1.5),
    "half the resolution": lambda image: low_resolution(image, zoom=0.5),
    "Gibbs ringing": lambda image: gibbs_ringing(image, alpha=0.7),
    "spike in k-space": lambda image: spike(image, amplitude=0.1),
    "squared intensities": lambda image: gamma_curve(image, gamma=2.0),
    "inverted contrast": inverted,
    "every eighth row lost": lost_rows,
}
"""What each does to slices ``(B, 1, H, W)`` in [0, 1]; labels stay right, for nothing moves."""


def corrupted(image: Tensor, name: str) -> Tensor:
    """Corrupt slices ``(B, 1, H, W)`` in [0, 1] where they are above 0, each alike, whatever the others.

    Raises:
        InputError: if there is no such corruption.
    """
    if name not in CORRUPTIONS:
        raise broken_rule("name", f"one of {', '.join(CORRUPTIONS)}", repr(name), "choose one of them")
    return torch.where(image > 0, CORRUPTIONS[name](image).clamp(0, 1), 0.0)
