"""Task: a network of any kind as logits of pixels, and the pixels that an attack wants to be missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_choice, check_integers, check_label, check_tensor
from monai_advdefense.attacks.logits import check_classes, check_logits, output_of, picked_logits
from monai_advdefense.attacks.no_effect import warn_of_empty_mask
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED
from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.decoded_in_box import Box, part_in

__all__ = ["ACTIVATIONS", "Outputs", "Task", "class_rows", "make_task"]

ACTIVATIONS = ("softmax", "sigmoid")
_CERTAIN = 1e4


@dataclass(frozen=True)
class Outputs:
    """How the outputs of a network are read.

    Attributes:
        activation: ``"softmax"``: one channel for each class, labels ``(B, *spatial)``; ``"sigmoid"``: one channel for
            each structure, labels ``(B, L, *spatial)`` of 0 and 1, for one structure also ``(B, *spatial)``.
        logits_of: from what the network returns to the logits, such as ``lambda output: output["seg"]``; None where it
            returns them.
        ignore_index: value of the label whose pixels do not count, neither in a loss nor in a result.
    """

    activation: str = "softmax"
    logits_of: Callable[[Any], Tensor] | None = None
    ignore_index: int | None = None

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        if not isinstance(self.ignore_index, (Real, NoneType)):
            raise broken_rule("ignore_index", "a whole number or None", repr(self.ignore_index), "give a label's value")


@dataclass(frozen=True)
class Task:
    """What is attacked. A structure of a sigmoid is a row of its own, with two classes; a softmax has one row.

    Attributes:
        network: from images to outputs.
        outputs: how they are read.
        label: classes ``(B * L, *spatial)``, 0 where ignored.
        targets: the same, -100 where a pixel is not targeted.
        ignored: ``(B * L, *spatial)``, pixels that do not count, or None.
        rows: L, the rows of an image.
        box: the part of an image that label and targets show, if not all of it; the network then gives logits of it.
    """

    network: Callable[[Tensor], Any]
    outputs: Outputs
    label: Tensor
    targets: Tensor
    ignored: Tensor | None = None
    rows: int = field(default=1)
    box: Box | None = None

    @property
    def pixels(self) -> Tensor:
        """Number ``(B,)`` of targeted pixels."""
        return self.of_images((self.targets != NOT_TARGETED).flatten(1).sum(1))

    def logits(self, image: Tensor) -> Tensor:
        """Logits ``(B * L, K, *spatial)`` of images ``(B, C, *spatial)``, in single precision or better.

        Raises:
            InputError: if they do not fit the image or the label, or the image does not fit the network.
        """
        logits = picked_logits(output_of(self.network, image), self.outputs.logits_of)
        check_logits(logits, image if self.box is None else part_in(self.box, image))
        logits = logits if logits.dtype in (torch.float32, torch.float64) else logits.float()
        logits = self._two_classes(logits) if self.outputs.activation == "sigmoid" else logits
        _check_classes(logits, self.label)
        return logits if self.ignored is None else _background_where(self.ignored, logits)

    def of_images(self, of_rows: Tensor) -> Tensor:
        """Sums ``(B,)`` over the rows of each image, of ``(B * L,)``."""
        return of_rows.view(-1, self.rows).sum(1)

    def select(self, keep: Tensor) -> Task:
        """The task of the images where ``keep`` ``(B,)`` is true."""
        rows = keep.repeat_interleave(self.rows)
        ignored = None if self.ignored is None else self.ignored[rows]
        return replace(self, label=self.label[rows], targets=self.targets[rows], ignored=ignored)

    def _two_classes(self, logits: Tensor) -> Tensor:
        """A sigmoid of z is a softmax of 0 and z."""
        if logits.shape[1] != self.rows:
            expected = f"{self.rows} channels of logits, the structures of the label"
            raise broken_rule("network", expected, logits.shape[1], "give a label with one channel for each")
        return torch.stack([torch.zeros_like(logits), logits], 2).flatten(0, 1)


def make_task(
    network: Callable[[Tensor], Any],
    image: Tensor,
    label: Tensor,
    *,
    mask: Tensor | None,
    include_background: bool,
    outputs: Outputs,
) -> Task:
    """Make the task of attacking ``network`` on ``image`` ``(B, C, *spatial)``.

    Args:
        network: from images to outputs.
        image: images, checked.
        label: see :class:`Outputs`.
        mask: bool ``(B or 1, 1 or C, *spatial)``: pixels outside of it are not targeted; or None.
        include_background: also target pixels whose label is 0.
        outputs: how the outputs of the network are read.

    Raises:
        InputError: if the label does not fit image or activation.
    """
    rows, ignored = class_rows("label", label, image, outputs)
    targets = rows.clone() if include_background else rows.masked_fill(rows == 0, NOT_TARGETED)
    if ignored is not None:
        targets.masked_fill_(ignored, NOT_TARGETED)
    if mask is not None:
        warn_of_empty_mask(mask, targets != NOT_TARGETED)
        targets.masked_fill_(~mask.any(1, keepdim=True), NOT_TARGETED)
    flat_ignored = None if ignored is None else ignored.flatten(0, 1)
    return Task(network, outputs, rows.flatten(0, 1), targets.flatten(0, 1), flat_ignored, rows.shape[1])


def class_rows(name: str, label: Tensor, image: Tensor, outputs: Outputs) -> tuple[Tensor, Tensor | None]:
    """Classes ``(B, L, *spatial)`` that share nothing with ``label``, 0 where ignored, and what is, or None.

    Raises:
        InputError: if argument ``name`` does not fit image or activation.
    """
    rows = _rows(name, label, image, outputs)
    ignored = None if outputs.ignore_index is None else rows == outputs.ignore_index
    if ignored is not None:
        rows = rows.masked_fill(ignored, 0)
    check_label(name, rows, tuple(rows.shape))
    if outputs.activation == "sigmoid" and rows.numel() and rows.max() > 1:
        remedy = "give one channel for each structure, or ignore_index"
        raise broken_rule(name, "0 and 1 for a sigmoid", int(rows.max()), remedy)
    return rows, ignored


def _rows(name: str, label: Tensor, image: Tensor, outputs: Outputs) -> Tensor:
    """Labels ``(B, L, *spatial)`` as int64 that share nothing with ``label``."""
    check_tensor(name, label)
    several = outputs.activation == "sigmoid" and label.ndim == image.ndim
    structures = (max(label.shape[1], 1),) if several else ()
    check_integers(name, label, (len(image), *structures, *image.shape[2:]))
    # Not all integer types can be filled; ignored pixels may have a label below 0.
    rows = label.as_subclass(Tensor).to(torch.int64, copy=True)
    return rows if several else rows.unsqueeze(1)


def _check_classes(logits: Tensor, label: Tensor) -> None:
    """Raise InputError unless there are two classes or more, and all of the label among them."""
    if logits.shape[1] < 2:
        remedy = 'give activation="sigmoid" if the network has one'
        raise broken_rule("network", "logits of two classes or more", "one channel", remedy)
    check_classes("label", label, logits)


def _background_where(ignored: Tensor, logits: Tensor) -> Tensor:
    """Logits that say background for certain, and have no gradient, where ``(R, *spatial)`` is true."""
    background = logits.new_full((1, logits.shape[1], *[1] * (logits.ndim - 2)), -_CERTAIN)
    background[:, 0] = 0
    return torch.where(ignored.unsqueeze(1), background, logits)
