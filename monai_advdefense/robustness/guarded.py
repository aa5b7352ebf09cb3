"""A guard in front of the network, as a report sees it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.messages import broken_rule
from monai_advdefense.robustness.unit_range import UnitRange

__all__ = ["Guarded", "Subject", "check_guard", "subject_of"]


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


def check_guard(network: nn.Module, activation: str) -> None:
    """Check that a network is a module, whose guard is seen and can be attacked.

    Raises:
        InputError: if it is none, or if a guard is a part of the network and not the whole, whose class "rejected"
            would count as a structure, or stands before a sigmoid.
    """
    if not isinstance(network, nn.Module):
        found = f"a {type(network).__name__}"
        raise broken_rule("network", "a torch.nn.Module", found, "give the module, or make one of the function")
    if not any(isinstance(part, DefendedSegmenter) for part in network.modules()):
        return
    if not isinstance(network, DefendedSegmenter):
        remedy = "give the guard itself; of a bundle, override its inferer by one of whole images or slices"
        raise broken_rule("network", "a guard as the whole network", f"one in a {type(network).__name__}", remedy)
    if activation != "softmax":
        remedy = "measure its segmenter without it"
        raise broken_rule("activation", "softmax for a network with a guard", activation, remedy)


def subject_of(network: UnitRange) -> Subject:
    """Take a network apart, whose guard is inside if it is a :class:`~monai_advdefense.guard.DefendedSegmenter`."""
    whole = network.network
    if not isinstance(whole, DefendedSegmenter):
        return Subject(network)
    low, high = network.low, network.low + network.span
    alone = UnitRange(whole.segmenter, low, high)
    behind = UnitRange(nn.Sequential(whole.reformer, whole.segmenter), low, high)
    return Subject(alone, Guarded(behind, whole, alone))
