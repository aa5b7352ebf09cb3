"""PositionAtlas: what many numbers of a slice usually are at each position along the slice axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.errors import CalibrationError
from monai_advdefense.messages import broken_rule

__all__ = ["PositionAtlas"]

GRID = 65
# Width of the window (standard deviation of a Gaussian) in which neighbouring slices count, as a share of the object.
WINDOW = 0.02
# At a position where fewer slices show a number, it is not known.
FEWEST_SLICES = 5.0


class PositionAtlas(nn.Module):
    """Mean and standard deviation of each of F numbers by position, from a moving window over clean slices.

    For numbers that rise and fall along the object in their own ways, such as areas of structures, for which a
    polynomial is too smooth. All numbers are float32 buffers, NaN until :meth:`fit` fills them.

    Args:
        smallest_scale: ``(F,)``, no standard deviation is taken for smaller.

    Example:
        >>> position = torch.linspace(0, 1, 501)
        >>> values = torch.sin(9 * position)[:, None] + 0.1 * torch.tensor([[-1.0], [1.0]]).repeat(251, 1)[:501]
        >>> atlas = PositionAtlas(torch.tensor([0.01]))
        >>> atlas.fit(values, position, torch.ones(501, 1))
        >>> atlas(torch.tensor([[1.0], [-1.0]]), torch.tensor([0.5, 0.5])) > 5
        tensor([[ True],
                [False]])
    """

    def __init__(self, smallest_scale: Tensor) -> None:
        super().__init__()
        self.smallest_scale = nn.Buffer(smallest_scale.to(torch.float32))
        numbers = len(smallest_scale)
        self.center = nn.Buffer(torch.full((GRID, numbers), float("nan")))
        self.scale = nn.Buffer(torch.full((GRID, numbers), float("nan")))
        self.known = nn.Buffer(torch.full((GRID, numbers), float("nan")))

    def forward(self, values: Tensor, position: Tensor) -> Tensor:
        """Return z values ``(N, F)`` of ``values`` ``(N, F)`` at ``position`` ``(N,)`` in [0, 1]; 0 where not known."""
        z = (values - _at(self.center, position)) / _at(self.scale, position)
        # A comparison with NaN is false: without a fit everything stays NaN.
        return torch.where(_at(self.known, position) < 0.5, z * 0.0, z)

    @torch.jit.unused
    def fit(self, values: Tensor, position: Tensor, weight: Tensor) -> None:
        """Fit on clean slices.

        Args:
            values: ``(N, F)``.
            position: ``(N,)`` in [0, 1].
            weight: ``(N, F)``, 0 where a slice does not show a number, 1 where it does.

        Raises:
            InputError: a shape does not fit the others, or a number is not finite.
            CalibrationError: there is no number that is shown often enough.
        """
        expected = (len(position), self.center.shape[1])
        if values.shape != expected or weight.shape != expected or not torch.isfinite(values).all():
            found = f"{tuple(values.shape)} and {tuple(weight.shape)}"
            remedy = "give one row for each slice, and leave out slices that failed"
            raise broken_rule("values, weight", f"finite numbers {expected} twice", found, remedy)
        grid = torch.linspace(0, 1, GRID, dtype=torch.float64).unsqueeze(1)
        window = torch.exp(-0.5 * ((position.double() - grid) / WINDOW) ** 2)
        count = window @ weight.double()
        if not (count >= FEWEST_SLICES).any():
            rule = f"numbers that {FEWEST_SLICES:g} slices show"
            raise broken_rule("weight", rule, "none", "add slices", error=CalibrationError)
        total = count.clamp_min(1e-9)
        center = window @ (weight * values.double()) / total
        residual = values.double() - _at(center, position.double())
        self.center.copy_(center)
        self.scale.copy_((window @ (weight * residual**2) / total).sqrt().maximum(self.smallest_scale.double()))
        self.known.copy_(count >= FEWEST_SLICES)


def _at(table: Tensor, position: Tensor) -> Tensor:
    """Rows of ``table`` ``(GRID, F)`` at ``position`` ``(N,)`` by linear interpolation."""
    place = position.clamp(0.0, 1.0) * (table.shape[0] - 1)
    index = place.detach().floor().clamp_max(table.shape[0] - 2).to(torch.int64)
    share = (place - index).unsqueeze(1)
    return table[index] * (1 - share) + table[index + 1] * share
