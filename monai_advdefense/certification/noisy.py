"""Gaussian noise whose certificates hold in floating point too."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["GRID", "noisy"]

# Far finer than what a network tells apart, far coarser than the rounding of float64.
GRID = 2.0**-10


def noisy(image: Tensor, *, sigma: float, mask: Tensor | None, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise and round the sum to multiples of 1/1024.

    Certificates by randomized smoothing hold for real numbers. In floating point the sum of image and noise shows by
    its last bits what the image was, so that a network can be fooled within its "certified" radius. Here noise is drawn
    and added in float64 and the sum is rounded to a grid that is 10^13 times coarser: rounding is a part of the
    network, for which the certificate holds as for any other function, and float64 puts a value on another side of a
    rounding boundary with a probability of about 10^-13 for a pixel.

    Args:
        image: images ``(B, C, *spatial)``, of values around [0, 1].
        sigma: standard deviation of the noise, in units of the image.
        mask: bool ``(B or 1, 1 or C, *spatial)``, noise lives where it is true; None is everywhere. Elsewhere the image
            stays as it is.
        generator: source of the noise, on the device of the image.

    Returns:
        Noisy images in the type of ``image``.

    Source:
        Cohen, Rosenfeld, Kolter, "Certified Adversarial Robustness via Randomized Smoothing" (ICML 2019), equation 1;
        Jin, Ohrimenko, Rubinstein, "Getting a-Round Guarantees: Floating-Point Attacks on Certified Robustness" (2022)
        and Voracek, Hein, "Sound Randomized Smoothing in Floating-Point Arithmetic" (ICLR 2023), why it is rounded.

    Example:
        >>> noise = noisy(torch.zeros(1, 1, 2), sigma=0.5, mask=None, generator=torch.Generator().manual_seed(0))
        >>> bool((noise * 1024 == (noise * 1024).round()).all())
        True
    """
    drawn = torch.randn(image.shape, generator=generator, device=image.device, dtype=torch.float64)
    rounded = ((image.double() + sigma * drawn) / GRID).round_() * GRID
    result = rounded.to(image.dtype)
    return result if mask is None else torch.where(mask, result, image)
