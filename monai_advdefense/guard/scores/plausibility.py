"""Plausibility of a segmentation: areas and places of its structures against those of clean slices."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.scores.position_atlas import PositionAtlas
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.messages import broken_rule

__all__ = ["Plausibility"]

# Added to areas, in pixels, so that a few pixels more or less of a tiny structure are not much.
SMALLEST_AREA = 30.0
# A structure of fewer pixels has no centroid to speak of.
FEWEST_PIXELS = 20.0
# No spread is taken for smaller: of log areas, and of centroids as a share of the side of the object.
SMALLEST_SCALES = (0.08, 0.01)
# Subjects are left out of the fit in so many groups to see how far new ones are off.
FOLDS = 5
# Share of new clean slices that a deviation of as many standard deviations of a normal variable holds.
TAIL, TAIL_DEVIATIONS = 0.99, 2.576


class Plausibility(nn.Module):
    """Largest deviation of a predicted structure from clean slices at the same position.

    What is compared for each structure is the logarithm of its area, and its centroid from the centroid of all
    structures in units of the square root of their area, so on the wrong side is far away. Any number of classes and
    spatial axes; nothing about the organ is built in. The label 0 is the background and is not compared.

    Args:
        num_classes: number of classes C, background included, at least 2.
        spatial_dims: number D of spatial axes of a sample.
    """

    def __init__(self, num_classes: int, spatial_dims: int = 2) -> None:
        super().__init__()
        structures = num_classes - 1
        areas, places = (torch.full((count,), s) for count, s in zip((1, spatial_dims), SMALLEST_SCALES, strict=True))
        self.atlas = PositionAtlas(torch.cat([areas, places]).repeat_interleave(structures))
        self.largest = Standardization(1)

    def forward(self, area: Tensor, centroid: Tensor, position: Tensor) -> Tensor:
        """Return the scores ``(B,)``, higher is less plausible. Differentiable.

        Args:
            area: ``(B, C)`` as :func:`~monai_advdefense.guard.scores.structure_shape.structure_shape` gives it.
            centroid: ``(B, C, D)``, of the same function.
            position: place of each slice in the object's extent along the slice axis ``(B,)`` in [0, 1].
        """
        largest = self.deviations(area, centroid, position).amax(dim=1, keepdim=True)
        return self.largest(largest, position, _log_area(area))[:, 0]

    @torch.jit.export
    def deviations(self, area: Tensor, centroid: Tensor, position: Tensor) -> Tensor:
        """Return ``(B, C - 1)``, how many standard deviations each structure is off, the most of area and centroid."""
        values, weight = _numbers(area, centroid)
        z = torch.abs(self.atlas(values, position) * weight)
        return z.view(len(z), -1, area.shape[1] - 1).amax(dim=1)

    @torch.jit.unused
    def fit(self, area: Tensor, centroid: Tensor, position: Tensor, subject: Tensor) -> None:
        """Fit on clean slices that show enough of the object to be judged; other arguments as of :meth:`forward`.

        Scales are widened, number by number, to what slices of subjects that were left out of the fit need: structures
        that differ much between subjects, such as ventricles, must not make every other subject implausible.

        Args:
            area: ``(N, C)``.
            centroid: ``(N, C, D)``.
            position: ``(N,)``.
            subject: ``(N,)`` integers, the same for all slices of a subject; at least 2 subjects.

        Raises:
            InputError: see :meth:`PositionAtlas.fit`.
            CalibrationError: see there; or there is one subject alone.
        """
        values, weight = _numbers(area, centroid)
        new = self._as_new(values, weight, position, subject)
        # By column, for what is shown differs.
        shown = torch.where(weight > 0, new.abs(), torch.nan)
        tail = torch.nanquantile(shown, TAIL, dim=0).nan_to_num(nan=TAIL_DEVIATIONS) / TAIL_DEVIATIONS
        self.atlas.fit(values, position, weight)
        self.atlas.scale.mul_(tail.clamp_min(1.0))
        largest = torch.abs(new / tail.clamp_min(1.0) * weight).amax(dim=1, keepdim=True)
        self.largest.fit(largest, position, _log_area(area))

    @torch.jit.unused
    def _as_new(self, values: Tensor, weight: Tensor, position: Tensor, subject: Tensor) -> Tensor:
        """Z values of each slice by an atlas that has not seen its subject."""
        subjects = subject.unique()
        if len(subjects) < 2:
            found, remedy = len(subjects), "add volumes of others"
            raise broken_rule("subject", "slices of at least 2 subjects", found, remedy, error=CalibrationError)
        new = torch.zeros_like(values)
        for fold in range(min(FOLDS, len(subjects))):
            left_out = torch.isin(subject, subjects[fold::FOLDS])
            atlas = PositionAtlas(self.atlas.smallest_scale)
            atlas.fit(values[~left_out], position[~left_out], weight[~left_out])
            new[left_out] = atlas(values[left_out], position[left_out])
        return new


def _numbers(
    area: Tensor, centroid: Tensor, smallest: float = SMALLEST_AREA, fewest: float = FEWEST_PIXELS
) -> tuple[Tensor, Tensor]:
    """Log areas and relative centroids ``(B, (1 + D) * (C - 1))``, and which of them a slice shows."""
    areas, places = area[:, 1:], centroid[:, 1:]
    total = areas.sum(dim=1, keepdim=True).clamp_min(1.0)
    middle = (places * areas.unsqueeze(2)).sum(dim=1, keepdim=True) / total.unsqueeze(2)
    relative = (places - middle) / total.sqrt().unsqueeze(2)
    shown = (areas >= fewest).to(area.dtype)
    numbers = torch.cat([torch.log(areas + smallest).unsqueeze(2), relative], dim=2)
    weights = torch.cat([torch.ones_like(shown).unsqueeze(2), shown.unsqueeze(2).expand_as(relative)], dim=2)
    return numbers.transpose(1, 2).flatten(1), weights.transpose(1, 2).flatten(1)


def _log_area(area: Tensor, smallest: float = SMALLEST_AREA) -> Tensor:
    return torch.log(area[:, 1:].sum(dim=1) + smallest)
