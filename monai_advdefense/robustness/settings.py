"""What is measured of a network, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

from monai_advdefense.attacks import standard_attacks
from monai_advdefense.attacks.arguments import check_at_least, check_choice, is_interval
from monai_advdefense.corruptions import CORRUPTIONS
from monai_advdefense.messages import broken_rule
from monai_advdefense.robustness.outputs import ACTIVATIONS

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """What is measured, and how.

    Attributes:
        budgets: largest change of a voxel that attacks are allowed, rising, as shares of the range of values.
        attacks: names in :func:`~monai_advdefense.attacks.standard_attacks`.
        steps: of each attack with gradients at each budget, which begins where the smaller one ended; FGSM takes one,
            the square attack 100 queries.
        corruptions: names in :data:`~monai_advdefense.corruptions.CORRUPTIONS`.
        changes: L2 norm of what corruptions change over that of the image, rising: their severities.
        activation: ``"softmax"``, one channel for each class, or ``"sigmoid"``, one for each structure.
        value_range: lowest and highest value of an image; None takes those of each image, channel by channel.
        background: value outside of the body, where neither attacks nor corruptions change anything; None is nowhere.
        slice_dim: axis that counts the slices, where the network takes slices of volumes.
        slices: slices of each volume, the middles of equal parts; None takes all.
        seed: of the intervals.

    Raises:
        InputError: if a setting is out of range or unknown.
    """

    budgets: Sequence[float] = (1 / 255, 2 / 255, 4 / 255)
    attacks: Sequence[str] = tuple(standard_attacks())
    steps: int = 10
    corruptions: Sequence[str] = tuple(CORRUPTIONS)
    changes: Sequence[float] = (0.02, 0.05, 0.1, 0.2, 0.4)
    activation: str = "softmax"
    value_range: tuple[float, float] | None = None
    background: float | None = None
    slice_dim: int | None = None
    slices: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check_rising("budgets", self.budgets, most=1.0)
        _check_rising("changes", self.changes, most=float("inf"))
        for name, known in (("attacks", standard_attacks()), ("corruptions", CORRUPTIONS)):
            for chosen in getattr(self, name):
                check_choice(name, chosen, known)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_at_least("steps", self.steps, 1)
        check_at_least("seed", self.seed, 0)
        if self.slice_dim is not None:
            check_at_least("slice_dim", self.slice_dim, 0)
        ends = self.value_range
        if ends is not None and not (is_interval(ends) and all(map(math.isfinite, ends))):
            raise broken_rule("value_range", "two rising numbers", ends, "exchange them, or leave it out")
        if self.background is not None and not math.isfinite(self.background):
            raise broken_rule("background", "a finite number", self.background, "leave it out where there is none")
        if self.slices is not None and self.slices < 1:
            raise broken_rule("slices", "1 or more", self.slices, "leave it out to take all")

    def as_json(self) -> Mapping[str, Any]:
        """The settings as JSON holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _check_rising(name: str, values: Sequence[float], *, most: float) -> None:
    numbers = isinstance(values, (tuple, list)) and all(isinstance(value, Real) for value in values)
    rising = numbers and all(low < high for low, high in pairwise((0.0, *values)))
    if not rising or not values or values[-1] > most or math.isinf(values[-1]):
        limit = "" if most == float("inf") else f" up to {most:g}"
        raise broken_rule(name, f"rising numbers above 0{limit}", values, "sort them, each once")
