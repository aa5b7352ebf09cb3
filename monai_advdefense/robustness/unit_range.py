"""A network in units of the range of its images, so that one budget means the same for every network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.logits import output_of
from monai_advdefense.messages import broken_rule

__all__ = ["UnitRange"]


class UnitRange(nn.Module):
    """A network whose images are in [0, 1], whatever values it takes itself.

    Args:
        network: from images ``(B, C, *spatial)`` in its own units to its output.
        low: value ``(1, C, 1, ...)`` that 0 stands for.
        high: value ``(1, C, 1, ...)`` that 1 stands for.
        logits_of: from its output to logits; None if it returns them.

    Example:
        >>> network = UnitRange.of(nn.Identity(), torch.tensor([[[-10.0, 30.0]]]))
        >>> network.to_unit(torch.tensor([[[-10.0, 0.0, 30.0]]])), network(torch.tensor([[[0.0, 0.25, 1.0]]]))
        (tensor([[[0.0000, 0.2500, 1.0000]]]), tensor([[[-10.,   0.,  30.]]]))
    """

    def __init__(
        self, network: nn.Module, low: Tensor, high: Tensor, logits_of: Callable[[Any], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.low = low
        self.span = high - low
        self.logits_of = logits_of

    @classmethod
    def of(
        cls,
        network: nn.Module,
        image: Tensor,
        *,
        value_range: tuple[float, float] | None = None,
        logits_of: Callable[[Any], Tensor] | None = None,
    ) -> UnitRange:
        """The network in units of ``image`` ``(B, C, *spatial)``.

        Args:
            network: see the class.
            image: the images that it shall take.
            value_range: lowest and highest value; None takes those of each channel.
            logits_of: see the class.
        """
        channels = image.transpose(0, 1).flatten(1)
        if value_range is None:
            low, high = channels.amin(1), channels.amax(1)
            high = torch.where(high > low, high, low + 1)
        else:
            low, high = (torch.full((len(channels),), float(end), device=image.device) for end in value_range)
        axes = (1, -1, *[1] * (image.ndim - 2))
        return cls(network, low.view(axes), high.view(axes), logits_of)

    def to_unit(self, image: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` in [0, 1]; what lies outside of the range is clipped."""
        return ((image - self.low) / self.span).clamp(0, 1)

    def to_own(self, image: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` in the units of the network."""
        return self.low + image * self.span

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(B, K, *spatial)`` of ``image`` ``(B, C, *spatial)`` in [0, 1].

        Raises:
            InputError: if the network returns anything else, or the images do not fit it.
        """
        output = output_of(self.network, self.to_own(image))
        logits = output if self.logits_of is None else self.logits_of(output)
        if not isinstance(logits, Tensor) or (logits.shape[:1], logits.shape[2:]) != (image.shape[:1], image.shape[2:]):
            found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            rule = f"logits (B, K, *spatial) for images of shape {tuple(image.shape)}"
            raise broken_rule("network", rule, found, "give logits_of, or images of a size that it takes")
        return logits.as_subclass(Tensor)
