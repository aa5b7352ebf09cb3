"""Where an attack with a budget may go: the ball around the original image, its mask and its bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_bounds, check_choice, check_image, check_mask, per_sample

__all__ = ["NORMS", "NormBall", "ball_around", "free_pixels", "l2", "linf", "unit"]

NORMS = ("l2", "linf")


@dataclass(frozen=True)
class NormBall:
    """All images within ``radius`` of ``center`` that keep its bounds and differ from it within the mask only.

    Attributes:
        center: images ``(B, C, *spatial)`` within the bounds.
        radius: largest norm of the difference to the center, per sample ``(B, 1, ...)``, in units of the image.
        norm: ``"l2"`` over all channels and pixels of a sample, or ``"linf"``.
        mask: bool ``(B or 1, 1 or C, *spatial)``, or None.
        bounds: lowest and highest value of an image, or None.
    """

    center: Tensor
    radius: Tensor
    norm: str
    mask: Tensor | None
    bounds: tuple[float, float] | None

    def start(self) -> Tensor:
        """The image ``(B, C, *spatial)`` in the middle."""
        return self.center

    def image(self, parameters: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of ``parameters``: the same."""
        return parameters

    def within(self, gradient: Tensor) -> Tensor:
        """The part of ``gradient`` ``(B, C, *spatial)`` that moves what may move."""
        return gradient if self.mask is None else torch.where(self.mask, gradient, 0.0)

    def reach(self, norm: str) -> Tensor:
        """How far ``(B, 1, ...)`` it is to the surface in a norm; in ``"linf"``, along all free axes at once."""
        if norm == self.norm:
            return self.radius
        root = free_pixels(self.center, self.mask).sqrt()
        return self.radius * root if norm == "l2" else self.radius / root.clamp_min(1)

    def project(self, image: Tensor) -> Tensor:
        """Take ``image`` ``(B, C, *spatial)`` to the ball: no norm is above its radius, also after rounding."""
        change = image - self.center
        if self.norm == "linf":
            change = change.clamp(-self.radius, self.radius)
        else:
            resolution = torch.finfo(change.dtype)
            length = torch.linalg.vector_norm(change, dim=_axes(change), keepdim=True)
            # The norm, a sum of many squares, is itself off by some units in the last place.
            reach = self.radius * (1 - 64 * resolution.eps)
            change = change * (reach / length.clamp_min(resolution.tiny)).clamp_max(1.0)
        near = self.center + change
        # Rounding the sum may carry a pixel past its change: then the next number towards the center is right.
        too_far = (near - self.center).abs() > change.abs()
        near = torch.where(too_far, torch.nextafter(near, self.center), near)
        # The center lies within the bounds, so clamping brings every pixel nearer to it: the norm cannot grow.
        return near if self.bounds is None else near.clamp(*self.bounds)

    def shrink_to_center(self, chosen: Tensor) -> NormBall:
        """Leave the samples where ``chosen`` ``(B,)`` is true no way to go."""
        return replace(self, radius=self.radius.masked_fill(chosen.view_as(self.radius), 0.0))

    def random_points(self, generator: torch.Generator, count: int) -> list[Tensor]:
        """Draw ``count`` times ``(B, C, *spatial)`` uniformly from the ball within the mask, and apply the bounds.

        All draws of a sample come before those of the next.
        """
        free = torch.ones_like(self.center) if self.mask is None else self.mask.to(self.center).expand_as(self.center)
        changes = self.center.new_empty(count, *self.center.shape)
        for place, sample in enumerate(free):
            for change in changes:
                change[place] = _draw(sample, self.norm, generator)
        return [self.project(self.center + self.radius * change) for change in changes]


def ball_around(
    image: Tensor,
    radius: Tensor | float,
    *,
    norm: str,
    mask: Tensor | None,
    bounds: tuple[float, float] | None,
) -> NormBall:
    """Check what a ball is made of and copy it, so that nothing is shared with the caller.

    Args:
        image: centers ``(B, C, *spatial)``.
        radius: one number or one per sample ``(B,)``, finite and >= 0.
        norm: ``"l2"`` or ``"linf"``.
        mask: ``(B or 1, 1 or C, *spatial)``, true (not zero) where an image may change, or None for everywhere.
        bounds: lowest and highest value of an image, or None.

    Raises:
        InputError: if an argument does not fit the others.
    """
    check_choice("norm", norm, NORMS)
    check_image(image)
    image = image.detach().as_subclass(Tensor)
    check_bounds(bounds, image)
    check_mask(mask, image)
    allowed = None if mask is None else mask.as_subclass(Tensor).bool().clone()
    return NormBall(image.clone(), per_sample("budget or radius", radius, image), norm, allowed, bounds)


def linf(
    image: Tensor, budget: Tensor | float, *, mask: Tensor | None = None, bounds: tuple[float, float] | None = None
) -> NormBall:
    """Every pixel of ``image`` ``(B, C, *spatial)`` changes by ``budget`` at most, in units of the image."""
    return ball_around(image, budget, norm="linf", mask=mask, bounds=bounds)


def l2(
    image: Tensor, budget: Tensor | float, *, mask: Tensor | None = None, bounds: tuple[float, float] | None = None
) -> NormBall:
    """The L2 norm of the change of ``image`` ``(B, C, *spatial)`` is ``budget`` at most, in units of the image."""
    return ball_around(image, budget, norm="l2", mask=mask, bounds=bounds)


def free_pixels(image: Tensor, mask: Tensor | None) -> Tensor:
    """Count the values ``(B, 1, ...)`` of ``image`` ``(B, C, *spatial)`` that may change."""
    free = torch.ones_like(image) if mask is None else mask.to(image).expand_as(image)
    return free.sum(_axes(image), keepdim=True)


def unit(gradient: Tensor, norm: str = "l2") -> Tensor:
    """Scale each sample of ``(B, ...)`` to norm 1; a zero gradient stays zero."""
    peak = gradient.abs().amax(_axes(gradient), keepdim=True)
    # Dividing by the peak first keeps the squares of very small or large gradients from under- or overflowing.
    scaled = gradient / torch.where(peak > 0, peak, 1.0)
    if norm == "linf":
        return scaled
    length: Tensor = torch.linalg.vector_norm(scaled, dim=_axes(gradient), keepdim=True)
    return scaled / length.clamp_min(1.0)


def _axes(image: Tensor) -> tuple[int, ...]:
    """All axes but that of the samples."""
    return tuple(range(1, image.ndim))


def _draw(free: Tensor, norm: str, generator: torch.Generator) -> Tensor:
    """Draw one point of the unit ball whose coordinates are 0 where ``free`` ``(C, *spatial)`` is 0."""
    place = generator.device
    if norm == "linf":
        signed = 2 * torch.rand(free.shape, generator=generator, device=place, dtype=free.dtype) - 1
        return signed.to(free.device) * free
    normal = torch.randn(free.shape, generator=generator, device=place, dtype=free.dtype).to(free.device) * free
    # The share of the ball within a distance is that distance to the power of the dimension.
    share = torch.rand((), generator=generator, device=place, dtype=free.dtype).to(free.device)
    return unit(normal[None])[0] * share ** (1 / free.sum().clamp_min(1))
