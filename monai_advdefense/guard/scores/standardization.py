"""Standardization: values as robust z values, given the slice's position and how much object it shows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.errors import CalibrationError
from monai_advdefense.messages import broken_rule

__all__ = ["Standardization"]

# Huber's constant: 95 % efficient for normal residuals.
HUBER = 1.345
ITERATIONS = 8
# Median of the absolute value of a standard normal variable.
MEDIAN_ABSOLUTE = 0.6745
# A scale smaller than this share of the scale over all positions is chance.
SMALLEST_SCALE = 0.3


class Standardization(nn.Module):
    """Residuals from a robust regression on position and log area, over a robust scale that varies smoothly with both.

    The center is a quartic of the position plus terms linear in log area and in the covariates, the logarithm of the
    scale a quadratic of the position plus a term linear in log area; both are fitted by Huber's M-estimate, so that a
    few end slices neither bend the center nor widen the scale. Position and log area are kept within the range that
    was fitted. All numbers are float32 buffers, which travel in the state dict and TorchScript; they are NaN, and so
    are the z values, until :meth:`fit` fills them.

    Args:
        features: number of values of a slice.
        covariates: further numbers of a slice that the center depends on.
        smallest_scale: no scale that is fitted is smaller.

    Example:
        >>> position, log_area = torch.linspace(0, 1, 101), torch.linspace(5, 6, 101)
        >>> noise = torch.randn(101, 1, generator=torch.Generator().manual_seed(0))
        >>> standardization = Standardization(1)
        >>> standardization.fit(3 * position[:, None] + 0.1 * noise, position, log_area)
        >>> z = standardization(torch.tensor([[1.5], [2.5]]), torch.tensor([0.5, 0.5]), torch.tensor([5.5, 5.5]))
        >>> z.abs() > 5
        tensor([[False],
                [ True]])
    """

    def __init__(self, features: int, covariates: int = 0, smallest_scale: float = 0.0) -> None:
        super().__init__()
        self.smallest_scale = smallest_scale
        self.log_area_range = nn.Buffer(torch.full((2,), float("nan")))
        self.position_range = nn.Buffer(torch.full((2,), float("nan")))
        self.center = nn.Buffer(torch.full((6 + covariates, features), float("nan")))
        self.log_scale = nn.Buffer(torch.full((4, features), float("nan")))
        self.smallest_log_scale = nn.Buffer(torch.full((features,), float("nan")))

    def forward(self, values: Tensor, position: Tensor, log_area: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Return the z values ``(N, features)`` of slices.

        Args:
            values: ``(N, features)``.
            position: place of each slice in the object's extent along the slice axis ``(N,)`` in [0, 1].
            log_area: natural logarithm of the object's area in the slice ``(N,)``, in mm^2.
            covariates: ``(N, covariates)``; None if there are none.
        """
        center, scale = self._designs(position, log_area, covariates)
        log_scale = torch.maximum(scale @ self.log_scale, self.smallest_log_scale)
        return (values - center @ self.center) / log_scale.exp()

    @torch.jit.unused
    def fit(self, values: Tensor, position: Tensor, log_area: Tensor, covariates: Tensor | None = None) -> None:
        """Fit center and scale on clean slices; arguments as of :meth:`forward`.

        Raises:
            InputError: a shape does not fit the others, or a number is not finite.
            CalibrationError: there are fewer than 20 slices.
        """
        _check(values, position, log_area, self.center.shape[1])
        if len(values) < 20:
            found, remedy = len(values), "add volumes"
            raise broken_rule("values", "those of at least 20 slices", found, remedy, error=CalibrationError)
        with torch.no_grad():
            for buffer, numbers in ((self.log_area_range, log_area), (self.position_range, position)):
                buffer.copy_(torch.stack([numbers.min(), numbers.max()]))
            center, scale = (design.double() for design in self._designs(position, log_area, covariates))
            values = values.double()
            coefficients = _huber_regression(center, values)
            residual = (values - center @ coefficients).abs()
            overall = _median(residual) / MEDIAN_ABSOLUTE
            # A value that is the same on most slices still tells those apart on which it is not.
            spread = residual.square().mean(dim=0).sqrt()
            overall = torch.where(overall > 1e-3 * spread, overall, spread).clamp_min(1e-6)
            log_scale = _huber_regression(scale, torch.log(residual.maximum(1e-2 * overall)))
            ratio = residual / (scale @ log_scale).exp().maximum(SMALLEST_SCALE * overall)
            correction = (_median(ratio) / MEDIAN_ABSOLUTE).clamp_min(SMALLEST_SCALE)
            log_scale[0] += correction.log()
            self.center.copy_(coefficients)
            self.log_scale.copy_(log_scale)
            # Single precision of the values themselves is no spread.
            rounding = (1e-5 * values.abs().amax(dim=0)).clamp_min(self.smallest_scale)
            self.smallest_log_scale.copy_((SMALLEST_SCALE * overall).maximum(rounding).log())

    def _designs(self, position: Tensor, log_area: Tensor, covariates: Tensor | None) -> tuple[Tensor, Tensor]:
        """Regressors of the center ``(N, 6 + covariates)`` and of the logarithm of the scale ``(N, 4)``."""
        low, high = self.position_range[0], self.position_range[1]
        # Legendre polynomials: powers are almost collinear.
        t = 2 * torch.minimum(torch.maximum(position, low), high) - 1
        low, high = self.log_area_range[0], self.log_area_range[1]
        area = (torch.minimum(torch.maximum(log_area, low), high) - 0.5 * (low + high)) / (high - low).clamp_min(1e-3)
        quadratic = (3 * t**2 - 1) / 2
        terms = [torch.ones_like(t), t, quadratic, area]
        scale = torch.stack(terms, dim=1)
        cubic, quartic = (5 * t**3 - 3 * t) / 2, (35 * t**4 - 30 * t**2 + 3) / 8
        center = torch.cat([scale, torch.stack([cubic, quartic], dim=1)], dim=1)
        return (center if covariates is None else torch.cat([center, covariates.to(center)], dim=1)), scale


def _check(values: Tensor, position: Tensor, log_area: Tensor, features: int) -> None:
    count = len(values)
    if values.shape != (count, features) or position.shape != (count,) or log_area.shape != (count,):
        found = f"{tuple(values.shape)}, {tuple(position.shape)} and {tuple(log_area.shape)}"
        rule, remedy = f"(N, {features}), (N,) and (N,)", "give one position and area for each slice"
        raise broken_rule("values, position, log_area", rule, found, remedy)
    for name, numbers in {"values": values, "position": position, "log_area": log_area}.items():
        if not torch.isfinite(numbers).all():
            raise broken_rule(name, "finite numbers", "NaN or infinity", "leave such slices out")


def _huber_regression(design: Tensor, values: Tensor) -> Tensor:
    """Coefficients ``(P, F)`` of Huber's M-estimate by iteratively reweighted least squares, each column by itself."""
    weight = torch.ones_like(values)
    terms = design.shape[1]
    # The normal equations of all columns at once, (F, P, P), as one product of matrices.
    products = (design[:, :, None] * design[:, None]).flatten(1)
    ridge = 1e-6 * len(design) * torch.eye(terms).to(design)
    for _ in range(ITERATIONS):
        gram = (weight.T @ products).unflatten(1, (terms, terms)) + ridge
        moment = (weight * values).T @ design
        coefficients = torch.linalg.solve(gram, moment).T
        residual = (values - design @ coefficients).abs()
        scale = (_median(residual) / MEDIAN_ABSOLUTE).clamp_min(1e-12)
        weight = (HUBER * scale / residual.clamp_min(1e-300)).clamp_max(1)
    return coefficients


def _median(values: Tensor) -> Tensor:
    return values.median(dim=0).values
