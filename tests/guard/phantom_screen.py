"""A screen that is fitted on phantoms, for the tests of whatever takes one."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.guard.fit_screen import CleanVolume, fit_screen
from monai_advdefense.guard.prediction_typicality import PredictionNumbers, prediction_numbers
from monai_advdefense.guard.scores.foreground import area, foreground, slice_position
from monai_advdefense.guard.scores.native_resolution import resolution_covariates
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.typicality_by_resolution import as_other_scan, other_size
from monai_advdefense.guard.volume_numbers import volume_numbers

CLASSES, RATE = 4, 0.1


def phantom(seed: int) -> tuple[Tensor, Tensor]:
    """Slices ``(S, 1, H, W)`` in [0, 1] and their labels ``(S, H, W)``."""
    image, label = brain_phantom((40, 30, 40), seed=seed, classes=CLASSES)
    return (torch.from_numpy(image / 2000).float().movedim(1, 0))[:, None], torch.from_numpy(label).movedim(1, 0)


def predictions(seed: int, label: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of the image and of the reformed image, that differ a little, as those of a segmenter would."""
    generator = torch.Generator().manual_seed(seed)
    sure = 6 * torch.nn.functional.one_hot(label.long(), CLASSES).movedim(-1, 1).float()
    return sure + torch.randn(sure.shape, generator=generator), sure + torch.randn(sure.shape, generator=generator)


def numbers_of(logits: Tensor, reformed_logits: Tensor, image: Tensor) -> PredictionNumbers:
    """Numbers of the predictions for a volume."""
    areas = area(foreground(image))
    return prediction_numbers(logits, reformed_logits, image, slice_position(areas), areas.clamp_min(1).log())


def numbers(seed: int) -> PredictionNumbers:
    """Numbers of the predictions for a phantom."""
    image, label = phantom(seed)
    return numbers_of(*predictions(seed, label), image)


def clean_volume(seed: int) -> CleanVolume:
    """What a fit needs of a phantom."""
    generator = torch.Generator().manual_seed(seed)
    (image, label), subject = phantom(seed), f"P{seed:02d}"
    covariates, copy = resolution_covariates(other_size(seed)), as_other_scan(image, seed)
    return CleanVolume(
        volume_numbers(image, subject, generator=generator),
        volume_numbers(copy, subject, generator=generator, covariates=covariates),
        numbers(seed),
        numbers_of(*predictions(1000 + seed, label), copy),
    )


@cache
def clean_volumes(count: int = 9) -> list[CleanVolume]:
    """The phantoms that the screen is fitted on; 9 carry a rate of 10 %."""
    return [clean_volume(seed) for seed in range(count)]


@cache
def fitted_state() -> dict[str, Tensor]:
    """State of a fitted screen."""
    screen = Screen(CLASSES)
    fit_screen(screen, clean_volumes(), false_positive_rate=RATE)
    return screen.state_dict()


def fitted_screen() -> Screen:
    """A fitted screen of its own."""
    screen = Screen(CLASSES)
    screen.load_state_dict(fitted_state())
    return screen
