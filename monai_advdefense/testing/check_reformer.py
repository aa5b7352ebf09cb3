"""What must hold for every reformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.testing.failure import fail, require_close, untouched

__all__ = ["check_reformer"]


def check_reformer(reformer: nn.Module, *, shape: tuple[int, ...] = (1, 16, 16)) -> None:
    """Check a reformer in evaluation mode: an image for each image, finite, differentiable, image by image.

    Args:
        reformer: from images ``(B, C, *spatial)`` to the same shape.
        shape: ``(C, *spatial)`` of the images that it takes.

    Raises:
        CheckFailedError: the first that does not hold, on one line.

    Example:
        >>> check_reformer(nn.Conv2d(1, 1, 3, padding=1).eval())
    """
    image = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    with untouched("reformer", reformer):
        leaf = image.clone().requires_grad_()
        reformed = reformer(leaf)
        if not isinstance(reformed, Tensor) or reformed.shape != image.shape or reformed.dtype != image.dtype:
            found = f"{tuple(reformed.shape)} of {reformed.dtype}" if isinstance(reformed, Tensor) else "no tensor"
            raise fail("reformer", f"{tuple(image.shape)} of {image.dtype}", found, "give shape and type of the input")
        if not reformed.isfinite().all() or not reformer(torch.zeros_like(image)).isfinite().all():
            raise fail("reformer", "finite images, of blank ones too", "NaN or infinity", "guard divisions by 0")
        if not reformed.requires_grad:
            raise fail("reformer", "a gradient by the image", "none", "leave out detach: attackers will have one")
        (gradient,) = torch.autograd.grad(reformed.sum(), leaf)
        if not gradient.isfinite().all():
            raise fail("reformer", "a finite gradient by the image", "NaN or infinity", "avoid roots of 0")
    with torch.no_grad():
        alone = torch.cat([reformer(one) for one in image.split(1)])
    what, remedy = "images that do not depend on the batch", "normalize each image by itself"
    require_close("reformer", alone, reformed.detach(), tolerance=1e-4, what=what, remedy=remedy)
