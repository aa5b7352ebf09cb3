"""VolumeNumbers: what a fit keeps of a clean volume, numbers instead of images."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from monai_advdefense.guard.scores.foreground import foreground, slice_position
from monai_advdefense.guard.scores.slice_features import slice_features
from monai_advdefense.guard.scores.synthetic_faults import SYNTHETIC_FAULTS
from monai_advdefense.guard.scores.synthetic_noise import band_limited_noise

__all__ = ["BATCH", "FAULT_EVERY", "NOISE_EVERY", "SliceNumbers", "VolumeNumbers", "features_of", "volume_numbers"]

# Slices at a time: more of them leave the cache of a processor.
BATCH = 8
NOISE_EVERY = 2
FAULT_EVERY = 10


@dataclass(frozen=True)
class SliceNumbers:
    """Numbers of some slices of a volume.

    Attributes:
        features: :func:`~.scores.slice_features.slice_features` of each.
        position: place of each in the object's extent ``(S,)``.
        clean_area: area of the object in each as it was, before a fault ``(S,)``.
    """

    features: dict[str, Tensor]
    position: Tensor
    clean_area: Tensor


@dataclass(frozen=True)
class VolumeNumbers:
    """What a fit needs of one clean volume.

    Attributes:
        subject: whose the volume is.
        clean: all slices in their order.
        noisy: every second slice with synthetic noise.
        faulty: every tenth slice with each synthetic fault.
        covariates: ``(K,)`` further numbers of the volume.
        channels: channels of the image.
    """

    subject: str
    clean: SliceNumbers
    noisy: SliceNumbers
    faulty: dict[str, SliceNumbers]
    covariates: Tensor = field(default_factory=lambda: torch.zeros(0))
    channels: int = 1


def volume_numbers(
    image: Tensor, subject: str, *, generator: torch.Generator, covariates: Tensor | None = None
) -> VolumeNumbers:
    """Numbers of one clean volume; see :class:`VolumeNumbers`.

    Args:
        image: slices in their order ``(S, C, H, W)``, in [0, 1]; from a GPU they are brought to the CPU.
        subject: whose it is.
        generator: source of noise and faults.
        covariates: ``(K,)``; None are none.
    """
    image = image.cpu()
    clean = features_of(image)
    position, area = slice_position(clean["area"]), clean["area"]

    def numbers(spoilt: Tensor, every: int) -> SliceNumbers:
        return SliceNumbers(features_of(spoilt), position[::every], area[::every])

    some, few = image[::NOISE_EVERY], image[::FAULT_EVERY]
    return VolumeNumbers(
        subject,
        SliceNumbers(clean, position, area),
        numbers(band_limited_noise(some, foreground(some), generator=generator), NOISE_EVERY),
        {name: numbers(fault(few, generator), FAULT_EVERY) for name, fault in SYNTHETIC_FAULTS.items()},
        torch.zeros(0) if covariates is None else covariates,
        image.shape[1],
    )


def features_of(image: Tensor) -> dict[str, Tensor]:
    """:func:`~.scores.slice_features.slice_features` of many slices ``(S, C, H, W)``, without gradients."""
    with torch.no_grad():
        parts = [slice_features(batch) for batch in image.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
