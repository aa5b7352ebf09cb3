"""An attacker who knows reformer, segmenter and every score of the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from experiments.screen.examined import Examined
from monai_advdefense.attacks import selective_pgd
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.prediction_typicality import prediction_numbers
from monai_advdefense.guard.scores.neighbour_change import neighbour_area
from monai_advdefense.guard.scores.slice_features import slice_features
from monai_advdefense.guard.screen import SCREEN_SCORES, Screen
from monai_advdefense.guard.typicality import REACH
from monai_advdefense.metrics import dice_from_counts, overlap_counts

__all__ = ["Attackable", "evade_scores", "screen_excess", "through_reformer"]

STEPS = 25
STARTS = 2
# Share of the threshold that is kept as a distance: another batch rounds otherwise.
MARGIN = 1e-3


@dataclass(frozen=True)
class Attackable:
    """Slices of a volume and who judges them.

    Attributes:
        guard: reformer and segmenter.
        screen: the judge.
        clean: the clean volume, all slices.
        image: the slices to attack ``(B, 1, X, Z)``.
        label: their true classes ``(B, X, Z)``.
        index: their places in the volume ``(B,)``.
        structure: the structure to erase in each ``(B,)``, 0 for none.
    """

    guard: DefendedSegmenter
    screen: Screen
    clean: Examined
    image: Tensor
    label: Tensor
    index: Tensor
    structure: Tensor


def through_reformer(guard: DefendedSegmenter) -> nn.Sequential:
    """From images to the logits of which the labels of an accepted slice are made."""
    return nn.Sequential(guard.reformer, guard.segmenter)


def screen_excess(on: Attackable, *, unknown: str = "") -> Callable[[Tensor], Tensor]:
    """How far each score of the screen lies above its threshold, for one slice attacked among clean ones.

    Args:
        on: the slices and who judges them.
        unknown: name of a score that is left out.

    Returns:
        Differentiable map from images ``(B, 1, X, Z)`` at the places of ``on`` to ``(B, K)``.
    """
    known = [column for column, name in enumerate(SCREEN_SCORES) if name != unknown]
    screen, clean = on.screen, on.clean
    position, beside = clean.prediction.position, neighbour_area(clean.prediction.area)[on.index]

    def by_image(features: dict[str, Tensor], row: int, place: int) -> Tensor:
        start, end = max(place - REACH, 0), min(place + REACH + 1, len(position))
        window = {
            name: torch.cat([values[start:place], features[name][row : row + 1], values[place + 1 : end]])
            for name, values in clean.features.items()
        }
        return screen.typicality.score(window, position[start:end]).scores[place - start]

    def excess(image: Tensor) -> Tensor:
        features = slice_features(image)
        scores = torch.stack([by_image(features, row, place) for row, place in enumerate(on.index.tolist())])
        alone, behind = on.guard.segmenter(image), through_reformer(on.guard)(image)
        log_area = features["area"].clamp_min(1).log()
        numbers = prediction_numbers(alone, behind, image, position[on.index], log_area)
        both = torch.cat([scores, screen.prediction(numbers, neighbours=beside)], dim=1)[:, known]
        return both - (1 - MARGIN) * screen.threshold

    return excess


def evade_scores(
    on: Attackable, *, radius: Tensor | float, steps: int = STEPS, starts: int = STARTS, unknown: str = ""
) -> Tensor:
    """Damage the segmentation with no score above its threshold: selective PGD through all of them at once.

    From the clean image and from random points of the ball; of each slice the accepted one of lowest Dice is kept, and
    one that is rejected only where none is accepted. A score that is ``unknown`` has no say in what is accepted.
    """
    behind, excess = through_reformer(on.guard), screen_excess(on, unknown=unknown)
    generator = torch.Generator().manual_seed(0)
    best, lowest = on.image, torch.full((len(on.image),), torch.inf)
    for start in range(starts):
        found = selective_pgd(
            behind,
            on.image,
            on.label,
            excess=excess,
            radius=radius,
            steps=steps,
            mask=on.image > 0,
            generator=generator if start else None,
        ).image
        with torch.no_grad():
            counts = overlap_counts(behind(found).argmax(1), on.label, on.screen.num_classes)
            rejected = (excess(found) > 0).any(dim=1)
        dice = dice_from_counts(counts)[:, 1:].nanmean(dim=1).nan_to_num(nan=1.0).to(lowest)
        # Above every Dice.
        dice = dice + 2.0 * rejected
        best = torch.where((dice < lowest).view(-1, 1, 1, 1), found, best)
        lowest = torch.minimum(lowest, dice)
    return best
