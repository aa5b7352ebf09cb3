"""Verdicts on clean volumes of all splits by screens that have not seen their subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from monai_advdefense.guard.fit_screen import CleanVolume, fit_screen
from monai_advdefense.guard.screen import Screen

__all__ = ["LEFT_OUT", "left_out_verdicts"]

LEFT_OUT = 6
"""Subjects that are left out at a time, so that about as many stay as the shipped screen is fitted on."""


def left_out_verdicts(
    volumes: Sequence[CleanVolume],
    num_classes: int,
    *,
    false_positive_rate: float,
    volume_rate: float,
    count: int = LEFT_OUT,
) -> list[str]:
    """Fit a screen without some subjects and judge theirs, until all are judged.

    Args:
        volumes: clean ones.
        num_classes: of the segmenter, background included.
        false_positive_rate: share of clean slices that each screen may reject.
        volume_rate: share of clean volumes that it may call other than clean.
        count: subjects that are left out at a time.

    Raises:
        CalibrationError: there are fewer subjects than the rate needs, after some were left out.
    """
    subjects = np.random.default_rng(0).permutation(sorted({volume.subject for volume in volumes}))
    verdicts: list[str] = []
    for start in range(0, len(subjects), count):
        group = set(subjects[start : start + count].tolist())
        screen = Screen(num_classes)
        fit_screen(
            screen,
            [volume for volume in volumes if volume.subject not in group],
            false_positive_rate=false_positive_rate,
            volume_rate=volume_rate,
        )
        verdicts += [_verdict(screen, volume) for volume in volumes if volume.subject in group]
    return verdicts


@torch.no_grad()
def _verdict(screen: Screen, volume: CleanVolume) -> str:
    features, numbers = volume.image.clean.features, volume.prediction
    typicality = screen.typicality.score(features, volume.image.clean.position)
    return screen.decide(typicality, screen.prediction(numbers), numbers, features["area"] <= 0).verdict.verdict
