"""Standardization of one value for each structure, fitted on those slices that show it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.messages import broken_rule

__all__ = ["StructureStandardization"]

# Fewer slices than this say too little about a structure.
FEWEST_SLICES = 40


class StructureStandardization(nn.Module):
    """A :class:`~monai_advdefense.guard.scores.standardization.Standardization` for each structure, side by side.

    Center and scale of a structure depend on the position of the slice and on the logarithm of the structure's own
    area, and are fitted on those slices alone that show the structure. A structure that too few slices show is never
    conspicuous: its z values are 0. All numbers are float32 buffers; they are NaN, and so are the z values, until
    :meth:`fit` fills them.

    Args:
        structures: number of values of a slice, one for each structure.

    Example:
        >>> position, area = torch.linspace(0, 1, 101), torch.full((101, 2), 5.0)
        >>> noise = torch.randn(101, 2, generator=torch.Generator().manual_seed(0))
        >>> present = torch.tensor([True, False]).expand(101, 2)
        >>> standardization = StructureStandardization(2)
        >>> standardization.fit(3.0 + 0.1 * noise, position, area, present)
        >>> standardization(torch.tensor([[4.0, 4.0]]), torch.tensor([0.5]), torch.tensor([[5.0, 5.0]])) > 5
        tensor([[ True, False]])
    """

    def __init__(self, structures: int) -> None:
        super().__init__()
        self.position_range = nn.Buffer(torch.full((2, structures), float("nan")))
        self.log_area_range = nn.Buffer(torch.full((2, structures), float("nan")))
        self.center = nn.Buffer(torch.full((6, structures), float("nan")))
        self.log_scale = nn.Buffer(torch.full((4, structures), float("nan")))
        self.smallest_log_scale = nn.Buffer(torch.full((structures,), float("nan")))

    def forward(self, values: Tensor, position: Tensor, log_area: Tensor) -> Tensor:
        """Return the z values ``(N, structures)``; differentiable.

        Args:
            values: ``(N, structures)``.
            position: place of each slice in the object's extent along the slice axis ``(N,)`` in [0, 1].
            log_area: logarithm of the area of each structure ``(N, structures)``, in pixels.
        """
        t = 2 * _within(position.unsqueeze(1), self.position_range) - 1
        low, high = self.log_area_range[0], self.log_area_range[1]
        area = (_within(log_area, self.log_area_range) - 0.5 * (low + high)) / (high - low).clamp_min(1e-3)
        # The polynomials are those of Standardization.
        quadratic, cubic = (3 * t**2 - 1) / 2, (5 * t**3 - 3 * t) / 2
        quartic = (35 * t**4 - 30 * t**2 + 3) / 8
        a, s = self.center, self.log_scale
        center = a[0] + a[1] * t + a[2] * quadratic + a[3] * area + a[4] * cubic + a[5] * quartic
        log_scale = torch.maximum(s[0] + s[1] * t + s[2] * quadratic + s[3] * area, self.smallest_log_scale)
        return (values - center) * torch.exp(-log_scale)

    @torch.jit.unused
    def fit(self, values: Tensor, position: Tensor, log_area: Tensor, present: Tensor) -> None:
        """Fit on clean slices; arguments as of :meth:`forward`, and which structures each slice shows.

        Raises:
            InputError: a shape does not fit the others, or a number that counts is not finite.
            CalibrationError: no structure is shown by enough slices.
        """
        self._check(values, position, log_area, present)
        enough = present.sum(0) >= FEWEST_SLICES
        if not enough.any():
            rule = f"a structure that at least {FEWEST_SLICES} slices show"
            found = f"at most {int(present.sum(0).max())} slices"
            raise broken_rule("present", rule, found, "add volumes", error=CalibrationError)
        with torch.no_grad():
            for index in range(values.shape[1]):
                rows = present[:, index]
                if enough[index]:
                    self._fit_one(index, values[rows, index], position[rows], log_area[rows, index])
                else:
                    self._silence(index)

    @torch.jit.unused
    def _fit_one(self, index: int, values: Tensor, position: Tensor, log_area: Tensor) -> None:
        single = Standardization(1)
        single.fit(values[:, None], position, log_area)
        self.position_range[:, index] = single.position_range
        self.log_area_range[:, index] = single.log_area_range
        self.center[:, index] = single.center[:, 0]
        self.log_scale[:, index] = single.log_scale[:, 0]
        self.smallest_log_scale[index] = single.smallest_log_scale[0]

    @torch.jit.unused
    def _silence(self, index: int) -> None:
        """Make all z values of a structure 0 by a scale beyond all numbers."""
        for buffer in (self.center, self.log_scale):
            buffer[:, index] = 0.0
        for buffer in (self.position_range, self.log_area_range):
            buffer[:, index] = torch.tensor([0.0, 1.0])
        self.smallest_log_scale[index] = 1e4

    @torch.jit.unused
    def _check(self, values: Tensor, position: Tensor, log_area: Tensor, present: Tensor) -> None:
        shape = (len(values), self.center.shape[1])
        if values.shape != shape or log_area.shape != shape or present.shape != shape or position.shape != shape[:1]:
            *first, last = (tuple(each.shape) for each in (values, position, log_area, present))
            rule, found = f"three of shape {shape} and {shape[:1]}", f"{', '.join(map(str, first))} and {last}"
            remedy = "give a value for each structure and slice"
            raise broken_rule("values, position, log_area, present", rule, found, remedy)


def _within(numbers: Tensor, limits: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(numbers, limits[0]), limits[1])
