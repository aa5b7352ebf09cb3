"""A guard in front of the network, as a report sees it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.robustness.unit_range import UnitRange

__all__ = ["Guarded", "Subject", "subject_of"]


@dataclass(frozen=True)
class Guarded:
    """What a guard does, for images in [0, 1].

    Attributes:
        network: reformer and segmenter in a row, to logits.
        guard: what decides.
        units: of the images.
    """

    network: UnitRange
    guard: DefendedSegmenter
    units: UnitRange

    def excess(self, image: Tensor) -> Tensor:
        """How far each of ``image`` ``(B, C, *spatial)`` lies above the threshold, ``(B,)``."""
        excess: Tensor = self.guard.excess(self.units.to_own(image))
        return excess

    def accepted(self, image: Tensor) -> Tensor:
        """Which of ``image`` ``(B, C, *spatial)`` the guard lets pass, ``(B,)``."""
        own = self.units.to_own(image)
        accepted: Tensor = self.guard.decide(own, self.guard.score(own))
        return accepted


@dataclass(frozen=True)
class Subject:
    """What is attacked: the network alone, and the guard before it if there is one; both for images in [0, 1]."""

    network: UnitRange
    guarded: Guarded | None = None


def subject_of(network: UnitRange) -> Subject:
    """Take a network apart, whose guard is inside if it is a :class:`~monai_advdefense.guard.DefendedSegmenter`."""
    whole = network.network
    if not isinstance(whole, DefendedSegmenter):
        return Subject(network)
    low, high = network.low, network.low + network.span
    alone = UnitRange(whole.segmenter, low, high)
    behind = UnitRange(nn.Sequential(whole.reformer, whole.segmenter), low, high)
    return Subject(alone, Guarded(behind, whole, alone))
