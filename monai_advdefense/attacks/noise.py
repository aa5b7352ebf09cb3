"""The noise control: what an attack of the same size without an adversary looks like."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from monai_advdefense.attacks.arguments import check_bounds, check_image, check_mask, per_sample
from monai_advdefense.messages import broken_rule

__all__ = ["NORM_TOLERANCE", "rician_noise"]

NORM_TOLERANCE = 1e-4
"""Largest relative difference between the norm that was asked for and that of the noise."""

_DOUBLINGS = 40
_BISECTIONS = 24


def rician_noise(
    image: Tensor,
    *,
    norm: Tensor | float,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    generator: torch.Generator,
) -> Tensor:
    """Add Rician noise, the noise of magnitude images, with a given L2 norm per sample.

    The noisy image is ``|image + s * n1 + i * s * n2|`` with standard normal n1 and n2 (Gudbjartsson and Patz 1995),
    clamped to ``bounds``. The scale s of each sample is found by bisection, so that the norm of what was added, after
    mask and clamp, equals ``norm`` to a relative :data:`NORM_TOLERANCE`; an image in half precision is rounded to it
    afterwards. Draws go sample by sample in order.

    Args:
        image: magnitude images ``(B, C, *spatial)``, finite and not negative.
        norm: L2 norm of the noise in units of the image, one number or ``(B,)``, not negative.
        mask: ``(B or 1, 1 or C, *spatial)``, noise is added where it is true (not zero); everywhere by default.
        bounds: lowest and highest value of the noisy image, or None.
        generator: source of the draws.

    Returns:
        Noisy images of the shape and dtype of ``image``.

    Raises:
        InputError: if an argument does not fit, or no scale reaches ``norm`` within mask and bounds.

    Example:
        >>> image = torch.full((1, 1, 8, 8), 0.5)
        >>> noisy = rician_noise(image, norm=0.25, generator=torch.Generator().manual_seed(0))
        >>> f"{(noisy - image).norm():.3f}"
        '0.250'
    """
    image = image.detach().as_subclass(Tensor)
    _check(image, mask, bounds)
    dtype = image.dtype
    if dtype in (torch.float16, torch.bfloat16):  # coarser than the tolerance
        image = image.float()
    aim = per_sample("norm", norm, image).flatten()
    if not len(image):
        return image.to(dtype)
    draws = [_draw(sample, generator) for sample in image]
    real, imaginary = (torch.stack(part) for part in zip(*draws, strict=True))

    def noisy(scale: Tensor) -> Tensor:
        scale = scale.view(-1, *[1] * (image.ndim - 1))
        magnitude = torch.hypot(image + scale * real, scale * imaginary)
        if bounds is not None:
            magnitude = magnitude.clamp(*bounds)
        return magnitude if mask is None else torch.where(mask.as_subclass(Tensor).bool(), magnitude, image)

    def reached(scale: Tensor) -> Tensor:
        distance: Tensor = torch.linalg.vector_norm((noisy(scale) - image).flatten(1), dim=1)
        return distance

    high = _least_scale(reached, aim, aim / image[0].numel() ** 0.5)
    missed = (reached(high) - aim).abs() > NORM_TOLERANCE * aim
    if missed.any():
        which = f"sample {int(missed.nonzero()[0])}: norm {float(aim[missed][0]):g}"
        raise broken_rule("norm", "a norm that noise within mask and bounds can have", which, "ask for less noise")
    return noisy(high).to(dtype)


def _least_scale(reached: Callable[[Tensor], Tensor], aim: Tensor, high: Tensor) -> Tensor:
    """Bisect for the least scales ``(B,)`` at which ``reached`` is ``aim``, from a first guess ``high``."""
    low = torch.zeros_like(aim)
    for _ in range(_DOUBLINGS):
        short = reached(high) < aim
        if not short.any():
            break
        high = torch.where(short, 2 * high, high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        short = reached(middle) < aim
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return high


def _check(image: Tensor, mask: Tensor | None, bounds: tuple[float, float] | None) -> None:
    check_image(image)
    check_mask(mask, image)
    check_bounds(bounds, image)
    if image.numel() and image.min() < 0:
        raise broken_rule("image", "magnitudes >= 0", f"{float(image.min()):g}", "scale or shift it first")


def _draw(sample: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw real and imaginary noise of one sample, on the device of the generator."""
    shape = (2, *sample.shape)
    real, imaginary = torch.randn(shape, generator=generator, device=generator.device, dtype=sample.dtype)
    return real.to(sample.device), imaginary.to(sample.device)
