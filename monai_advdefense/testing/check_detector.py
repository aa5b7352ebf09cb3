"""What must hold for every detector."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from monai_advdefense.testing.failure import fail, require_close, untouched

__all__ = ["check_detector"]


def check_detector(detector: nn.Module, *, shape: tuple[int, ...] = (1, 16, 16)) -> None:
    """Check a detector in evaluation mode: one finite score for each image, differentiable, image by image.

    Args:
        detector: module with ``score``, from images ``(B, C, *spatial)`` to ``(B,)``.
        shape: ``(C, *spatial)`` of the images that it takes.

    Raises:
        CheckFailedError: the first that does not hold, on one line.

    Example:
        >>> from monai_advdefense.guard import ReconstructionDetector
        >>> check_detector(ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1)).eval())
    """
    image = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0))
    with untouched("detector", detector):
        leaf = image.clone().requires_grad_()
        score = _score(detector, leaf)
        if not isinstance(score, Tensor) or score.shape != (4,) or not score.isfinite().all():
            found = tuple(score.shape) if isinstance(score, Tensor) else type(score).__name__
            raise fail("detector", "finite scores (B,)", found, "give one score for each image")
        if not score.requires_grad:
            raise fail("detector", "a gradient by the image", "none", "leave out detach: attackers will have one")
        (gradient,) = torch.autograd.grad(score.sum(), leaf)
        if not gradient.isfinite().all() or not gradient.flatten(1).any(1).all():
            raise fail("detector", "a finite gradient by every image", "none or NaN", "avoid steps and roots of 0")
        blank = _score(detector, torch.zeros(1, *shape))
        if not blank.isfinite().all():
            raise fail("detector", "a finite score of a blank image", float(blank), "guard divisions by 0")
    with torch.no_grad():
        alone = torch.cat([_score(detector, one) for one in image.split(1)])
    what, remedy = "scores that do not depend on the batch", "normalize each image by itself"
    require_close("detector", alone, score.detach(), tolerance=1e-4, what=what, remedy=remedy)


def _score(detector: nn.Module, image: Tensor) -> Tensor:
    return cast("Tensor", detector.score(image))  # type: ignore[operator]
