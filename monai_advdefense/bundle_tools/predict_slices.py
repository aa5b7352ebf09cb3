"""What a network that knows nothing of a guard predicts for the slices that the guard counts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from monai_advdefense.guard.prediction_typicality import PredictionNumbers
from monai_advdefense.guard.smoothed import smoothed
from monai_advdefense.guard.volume_predictions import class_logits, numbers_by_slice, numbers_of_slices
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.guarded_channels import GuardedChannels
from monai_advdefense.transforms.keep_slices import NAMES, KeptSlices

__all__ = ["PredictSlices", "kept_slices"]


def kept_slices(data: Mapping[Hashable, Any], key: str) -> KeptSlices:
    """What :class:`~monai_advdefense.transforms.KeepSlicesd` has kept of the image under ``key``.

    Raises:
        InputError: a transform has dropped it.
    """
    absent = [name for name in NAMES if f"{name}_{key}" not in data]
    if absent:
        found = f"no {absent[0]}_{key!s}"
        raise broken_rule("preprocessing", "to keep what the guard has added", found, "let SelectItemsd keep it")
    return KeptSlices(**{name: torch.as_tensor(data[f"{name}_{key}"]) for name in NAMES})


@dataclass(frozen=True, kw_only=True)
class PredictSlices:
    """Numbers of a network's predictions, on the image as it is and on the image smoothed a little.

    Attributes:
        network: the network of the evaluator.
        inferer: that of the evaluator.
        guarded: which slices of which channels the guard counts.
        independent: each channel of the output is a structure of its own, as behind a sigmoid.
        smoothing: standard deviation of the smoothing, in voxels of the network's image.
    """

    network: nn.Module
    inferer: Callable[..., Any]
    guarded: GuardedChannels
    independent: bool
    smoothing: float

    @torch.no_grad()
    def __call__(self, image: Any, pred: Tensor, kept: KeptSlices) -> PredictionNumbers:
        """Numbers for each slice of ``kept``.

        Args:
            image: what the network saw ``(channels, *spatial)``.
            pred: what it gave, before any postprocessing ``(channels, *spatial)``.
            kept: the slices that the guard counts.
        """
        if not isinstance(pred, Tensor) or pred.shape[1:] != image.shape[1:]:
            found = tuple(getattr(pred, "shape", ()))
            rule = f"one on the grid of its image, {tuple(image.shape[1:])}"
            raise broken_rule("prediction", rule, found, "the guard needs the logits of a segmentation")
        axis = None if self.guarded.slice_dim is None else self.guarded.slice_axis(image)
        with eval_mode(self.network):
            pure = self.inferer(smoothed(image[None], self.smoothing, slice_axis=axis), self.network)
        both = [class_logits(output, independent=self.independent)[0] for output in (pred[None], pure)]
        numbers = numbers_of_slices(*(self._slices(part, image) for part in (*both, image)))
        places = torch.zeros(1, dtype=torch.int64) if axis is None else self.guarded.nearest(image, kept.centers)
        return numbers_by_slice(numbers, places, kept.slices)

    def _slices(self, part: Tensor, image: Any) -> Tensor:
        """Slices ``(S, C, H, W)`` of a tensor ``(C, *spatial)`` on the grid of ``image``."""
        if self.guarded.slice_dim is None:
            return part.as_subclass(Tensor)[None]
        return self.guarded.reoriented(part.as_subclass(Tensor), image).movedim(1 + self.guarded.slice_dim, 0)
