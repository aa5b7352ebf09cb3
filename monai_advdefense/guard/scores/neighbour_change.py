"""Change of each structure's area from the neighbouring slices of a volume."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.guard.scores.structure_standardization import StructureStandardization
from monai_advdefense.messages import broken_rule

__all__ = ["NeighbourChange", "neighbour_area"]

# Added to areas, in pixels, so that a few pixels more or less of a tiny structure are not much.
SMALLEST_AREA = 8.0
# A structure that the neighbours show with fewer pixels is not compared.
FEWEST_PIXELS = 10.0


def neighbour_area(area: Tensor) -> Tensor:
    """Mean area of each structure in the slice before and the slice after ``(S, C)``; at an end that of the one.

    Args:
        area: ``(S, C)`` of the slices of a volume in their order.

    Raises:
        InputError: there are fewer than 2 slices.

    Example:
        >>> neighbour_area(torch.tensor([[10.0], [0.0], [14.0]]))
        tensor([[ 0.],
                [12.],
                [ 0.]])
    """
    if area.ndim != 2 or len(area) < 2:
        raise broken_rule("area", "(S, C) of at least 2 slices", tuple(area.shape), "give a whole volume")
    before = torch.cat([area[1:2], area[:-1]])
    after = torch.cat([area[1:], area[-2:-1]])
    return 0.5 * (before + after)


class NeighbourChange(nn.Module):
    """Largest standardized change of a structure's area from the mean of the slices before and after.

    A structure erased, or grown, in one slice stands out however usual its area would be elsewhere. Blind where all
    slices are spoilt alike; the slices beside a spoilt one are conspicuous too.

    Args:
        num_classes: number of classes C, background included.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.structures = StructureStandardization(num_classes - 1)
        self.largest = Standardization(1)

    def forward(self, area: Tensor, neighbours: Tensor, position: Tensor) -> Tensor:
        """Return the scores ``(S,)``, higher is more suspicious. Differentiable.

        Args:
            area: ``(S, C)`` as :func:`~monai_advdefense.guard.scores.structure_shape.structure_shape` gives it.
            neighbours: ``(S, C)`` as :func:`neighbour_area` gives it.
            position: place of each slice in the object's extent along the slice axis ``(S,)`` in [0, 1].
        """
        largest = self.deviations(area, neighbours, position).amax(dim=1, keepdim=True)
        return self.largest(largest, position, _log_area(neighbours))[:, 0]

    def deviations(self, area: Tensor, neighbours: Tensor, position: Tensor) -> Tensor:
        """Return ``(S, C - 1)``, how many standard deviations the change of each structure is off."""
        change, size, shown = _change(area, neighbours)
        return torch.abs(self.structures(change, position, size) * shown)

    def fit(self, area: Tensor, neighbours: Tensor, position: Tensor) -> None:
        """Fit on clean slices that show enough of the object to be judged; arguments as of :meth:`forward`.

        Raises:
            InputError: see :meth:`StructureStandardization.fit`.
            CalibrationError: see there.
        """
        change, size, shown = _change(area, neighbours)
        self.structures.fit(change, position, size, shown > 0)
        largest = self.deviations(area, neighbours, position).amax(dim=1, keepdim=True)
        self.largest.fit(largest, position, _log_area(neighbours))


def _change(area: Tensor, neighbours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithmic change, logarithm of the expected area, and 1 where it is compared, ``(S, C - 1)`` each."""
    size = torch.log(neighbours[:, 1:] + SMALLEST_AREA)
    shown = (neighbours[:, 1:] >= FEWEST_PIXELS).to(area.dtype)
    return torch.log(area[:, 1:] + SMALLEST_AREA) - size, size, shown


def _log_area(area: Tensor) -> Tensor:
    return torch.log(area[:, 1:].sum(dim=1) + SMALLEST_AREA)
