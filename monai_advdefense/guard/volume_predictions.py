"""What a screen looks at in the predictions of any network, slice by slice of the image that was loaded."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from monai_advdefense.guard.prediction_typicality import PredictionNumbers, prediction_numbers
from monai_advdefense.guard.scores.foreground import area, foreground, slice_position
from monai_advdefense.messages import broken_rule

__all__ = ["class_logits", "numbers_by_slice", "numbers_of_slices"]

# Slices at a time.
_BATCH = 8


def class_logits(output: Tensor, *, independent: bool) -> Tensor:
    """Logits of classes that exclude each other ``(B, C, *spatial)``.

    Args:
        output: what a network gives ``(B, channels, *spatial)``.
        independent: each channel is a structure of its own, as behind a sigmoid; then a class 0 for none of them comes
            in front, and for a single channel the probabilities are those of the sigmoid.

    Raises:
        InputError: ``output`` is no tensor of that kind.
    """
    if not isinstance(output, Tensor) or output.ndim < 4 or not output.is_floating_point():
        found = f"{tuple(output.shape)} of {output.dtype}" if isinstance(output, Tensor) else type(output).__name__
        raise broken_rule("prediction", "logits (B, channels, *spatial)", found, "guard a network that gives them")
    plain = output.as_subclass(Tensor)
    if not independent and plain.shape[1] > 1:
        return plain
    return torch.cat([torch.zeros_like(plain[:, :1]), plain], dim=1)


@torch.no_grad()
def numbers_of_slices(logits: Tensor, purified: Tensor, image: Tensor) -> PredictionNumbers:
    """Numbers of the predictions on all slices of a volume; position and area are left for :func:`numbers_by_slice`.

    Args:
        logits: of the image ``(S, C, H, W)``: those that the segmentation is made of.
        purified: of the purified image, the same shape.
        image: what the network saw ``(S, channels, H, W)``, of any range of values. What has the value of the first
            pixel everywhere counts as background.
    """
    inside = (image != image[:1, :, :1, :1]).any(dim=1, keepdim=True).float()
    none = torch.zeros(len(logits), device=logits.device)
    parts = zip(*(part.split(_BATCH) for part in (purified, logits, inside, none, none)), strict=True)
    return PredictionNumbers.joined([prediction_numbers(*(each.contiguous() for each in part)) for part in parts])


def numbers_by_slice(numbers: PredictionNumbers, places: Tensor, image: Tensor) -> PredictionNumbers:
    """The same for the slices that a guard counts, which can be others than those of the network's grid.

    Args:
        numbers: of the slices that the network saw.
        places: for each slice of ``image`` the number of the nearest one among them ``(S,)``; less than 0 where there
            is none.
        image: the slices that the guard counts ``(S, channels, H, W)``, in [0, 1].
    """
    known = places >= 0
    found = numbers[places.clamp_min(0).to(numbers.area.device)]
    tables = ("divergence", "entropy", "count", "area", "centroid")
    moved = {name: getattr(found, name).cpu() for name in tables}
    shown = {name: value * known.view(-1, *[1] * (value.ndim - 1)) for name, value in moved.items()}
    areas = torch.cat([area(foreground(part)) for part in image.split(_BATCH)])
    position, log_area = slice_position(areas), areas.clamp_min(1).float().log()
    return replace(found, **shown, position=position, log_area=log_area)
