"""TypicalityByResolution: one model for volumes on their own grid, one for those that were resampled to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from monai_advdefense.guard.fit_typicality import FittedTypicality, fit_typicality, fit_typicality_numbers
from monai_advdefense.guard.scores.native_resolution import (
    RESOLUTION_COVARIATES,
    as_from_spacing,
    is_resampled,
    resolution_covariates,
)
from monai_advdefense.guard.typicality import TYPICALITY_CAUSES, SliceScores, Typicality
from monai_advdefense.guard.volume_numbers import volume_numbers

__all__ = [
    "NATIVE_SIZES",
    "FittedByResolution",
    "TypicalityByResolution",
    "as_other_scan",
    "fit_typicality_by_resolution",
    "other_size",
]

NATIVE_SIZES = (0.7, 1.25, 0.9, 1.5, 0.8, 1.1, 1.35, 0.6, 1.2, 0.75, 1.45, 0.95, 1.05)
"""Voxel sizes, as shares of the grid's, of the copies that the second model is fitted on, in turn."""


LARGEST_NATIVE = 1.55
"""Beyond this voxel size, as a share of the grid's, a volume that is not clean is so for its low resolution."""


class TypicalityByResolution(nn.Module):
    """Scores slices by the model that fits how they came to the grid: interpolation smooths what was not on it.

    Args:
        channels: channels of the image.
        spacing: voxel size of the grid in mm along the slices' axis, rows and columns.
    """

    def __init__(self, channels: int = 1, spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        super().__init__()
        self.spacing = tuple(spacing)
        self.on_grid = Typicality(channels)
        self.resampled = Typicality(channels, RESOLUTION_COVARIATES)

    def load(self, on_grid: Typicality, resampled: Typicality | None = None) -> None:
        """Take the numbers of fitted models; without the second one no resampled volume is judged."""
        self.on_grid.load_state_dict(on_grid.state_dict())
        if resampled is not None:
            self.resampled.load_state_dict(resampled.state_dict())
            return
        for buffer in self.resampled.buffers():
            buffer.zero_()
        # No area is large enough, and a loader knows by the threshold that this is meant.
        self.resampled.smallest_area.fill_(float("nan"))
        self.resampled.threshold.fill_(float("nan"))

    def forward(
        self, image: Tensor, native_spacing: Sequence[float] | None = None, *, position: Tensor | None = None
    ) -> SliceScores:
        """Score the slices of one volume.

        Args:
            image: its slices in their order ``(S, C, H, W)``, in [0, 1].
            native_spacing: voxel size of the scan in mm in the order of ``spacing``; None is that of the grid.
            position: see :meth:`Typicality.forward`.
        """
        model, covariates = self._fitting(native_spacing)
        return self._named(model(image, covariates, position=position), native_spacing)

    def score(
        self,
        features: Mapping[str, Tensor],
        position: Tensor,
        native_spacing: Sequence[float] | None = None,
        *,
        neighbours: bool = True,
    ) -> SliceScores:
        """Score slices by their features ``(S, N)`` of each kind; the rest as of :meth:`forward`.

        Args:
            features: see :meth:`Typicality.score`.
            position: see there ``(S,)``.
            native_spacing: see :meth:`forward`.
            neighbours: see :meth:`Typicality.score`.
        """
        model, covariates = self._fitting(native_spacing)
        return self._named(model.score(features, position, covariates, neighbours=neighbours), native_spacing)

    def _fitting(self, native: Sequence[float] | None) -> tuple[Typicality, Tensor | None]:
        """The model for such voxels, and its covariates."""
        if native is None or not is_resampled(native, self.spacing):
            return self.on_grid, None
        return self.resampled, resolution_covariates(native, self.spacing).to(self.resampled.threshold)

    def _named(self, scores: SliceScores, native: Sequence[float] | None) -> SliceScores:
        """The same scores; under the cause that is known where the voxels are large."""
        if native is None or max(n / s for n, s in zip(native, self.spacing, strict=True)) <= LARGEST_NATIVE:
            return scores
        return _under(scores, "smooth")


def _under(scores: SliceScores, cause: str) -> SliceScores:
    """The same scores under a cause that is known."""
    column = torch.arange(len(TYPICALITY_CAUSES), device=scores.by_cause.device) == TYPICALITY_CAUSES.index(cause)
    largest = scores.by_cause.amax(dim=1, keepdim=True)
    return replace(scores, by_cause=torch.where(column, largest, largest - 1))


@dataclass(frozen=True)
class FittedByResolution:
    """Both models, and what each says of the volumes that it was fitted on."""

    model: TypicalityByResolution
    on_grid: FittedTypicality
    resampled: FittedTypicality


def other_size(number: int, native: Sequence[float] | None = None) -> list[float]:
    """Voxel size, as a share of the grid's, as from a scan of which a clean volume is taken to fit the second model.

    Args:
        number: place in :data:`NATIVE_SIZES`, counted in turn.
        native: voxel size of its own scan as a share of the grid's; a volume that was resampled is taken as it is.
    """
    if native is not None and is_resampled(native):
        return list(native)
    return [NATIVE_SIZES[number % len(NATIVE_SIZES)]] * 3


def as_other_scan(image: Tensor, number: int, native: Sequence[float] | None = None) -> Tensor:
    """The volume ``(S, C, H, W)`` as from a scan of :func:`other_size`; arguments as there."""
    own = native is not None and is_resampled(native)
    return image if own else as_from_spacing(image, other_size(number))


def fit_typicality_by_resolution(
    volumes: Sequence[Tensor],
    subjects: Sequence[str],
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    false_positive_rate: float = 0.05,
    seed: int = 0,
) -> FittedByResolution:
    """Fit both models on clean volumes, the second on a copy of each as from a scan of another voxel size.

    Args:
        volumes: slices of each volume in their order ``(S, C, H, W)``, in [0, 1], scanned on the grid.
        subjects: whose each volume is.
        spacing: voxel size of the grid in mm along the slices' axis, rows and columns.
        false_positive_rate: share of clean slices that may be rejected.
        seed: seed of synthetic noise and faults.

    Raises:
        InputError: volumes and subjects do not fit each other.
        CalibrationError: there are fewer than 5 subjects, or too few slices.
    """
    on_grid = fit_typicality(volumes, subjects, false_positive_rate=false_positive_rate, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    copies = []
    for number, (volume, subject) in enumerate(zip(volumes, subjects, strict=True)):
        native = [NATIVE_SIZES[number % len(NATIVE_SIZES)] * size for size in spacing]
        copy = as_from_spacing(volume, native, spacing)
        covariates = resolution_covariates(native, spacing)
        copies.append(volume_numbers(copy, subject, generator=generator, covariates=covariates))
    channels = volumes[0].shape[1]
    resampled = fit_typicality_numbers(copies, channels=channels, false_positive_rate=false_positive_rate)
    model = TypicalityByResolution(channels, spacing)
    model.on_grid, model.resampled = on_grid.model, resampled.model
    return FittedByResolution(model, on_grid, resampled)
