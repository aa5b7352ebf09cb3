"""All numbers of a slice that the scores are made of, computed once and inside the object's box."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.guard.scores.bias_field import bias_field
from monai_advdefense.guard.scores.coarse_image import coarse_image
from monai_advdefense.guard.scores.foreground import area, crop_to_foreground, foreground
from monai_advdefense.guard.scores.histogram import histogram
from monai_advdefense.guard.scores.local_texture import local_texture
from monai_advdefense.guard.scores.spectrum_profile import spectrum_profile
from monai_advdefense.guard.scores.windowed_profile import windowed_profile

__all__ = ["FEATURES", "feature_counts", "slice_features"]

FEATURES = ("spectrum", "windowed", "texture", "histogram", "bias", "coarse")


def slice_features(image: Tensor) -> dict[str, Tensor]:
    """Numbers of each slice, by kind; differentiable.

    Args:
        image: ``(B, C, H, W)`` in [0, 1], in the frame of the volume; of whatever precision, computed in single.

    Returns:
        For each of :data:`FEATURES` ``(B, N)``, and ``area`` ``(B,)``, the pixels that show the object.
    """
    image = image.float()
    mask = foreground(image)
    cut, cut_mask = (part.contiguous() for part in crop_to_foreground(image, mask))
    frame = (image.shape[-2], image.shape[-1])
    return {
        "spectrum": spectrum_profile(cut, cut_mask, frame),
        "windowed": windowed_profile(cut, cut_mask, frame),
        "texture": local_texture(cut, cut_mask),
        "histogram": histogram(cut, cut_mask),
        "bias": bias_field(cut, cut_mask),
        "coarse": coarse_image(image, mask),
        "area": area(mask),
    }


def feature_counts(channels: int) -> dict[str, int]:
    """How many numbers there are of each kind for images of ``channels`` channels."""
    with torch.no_grad():
        found = slice_features(torch.zeros(1, channels, 64, 64))
    return {name: found[name].shape[1] for name in FEATURES}
