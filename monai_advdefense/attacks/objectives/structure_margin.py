"""Logit margins: pixels leave their class, or a structure grows over its surroundings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d, max_pool2d, max_pool3d

from monai_advdefense.attacks.objectives.objective import sum_over_pixels
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED

__all__ = ["grow_structure_margin", "structure_margin"]

_POOLS = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}


def structure_margin(logits: Tensor, targets: Tensor, progress: float = 0.0, *, structure: int | None = None) -> Tensor:
    """Minus the margin of the targeted class over the highest other, summed ``(B,)`` over pixels where it is positive.

    It is 0 once no targeted pixel is predicted as its class, so that an attack spends nothing on pixels that are lost.
    Arguments as of :class:`Objective`; with ``structure`` only the pixels of this class count.

    Source:
        Carlini, Wagner, "Towards Evaluating the Robustness of Neural Networks" (2017), section IV, objective f6.

    Example:
        >>> structure_margin(torch.tensor([[[3.0, 0.0, 3.0], [1.0, 2.0, 1.0]]]), torch.tensor([[0, 0, -100]]))
        tensor([-2.])
    """
    own, others = _own_and_others(logits, targets.clamp_min(0))
    counts = targets != NOT_TARGETED if structure is None else targets == structure
    return -sum_over_pixels(torch.where(counts, (own - others).clamp_min(0), 0.0))


def grow_structure_margin(
    logits: Tensor, targets: Tensor, progress: float = 0.0, *, structure: int, reach: int = 6
) -> Tensor:
    """Minus the margin of the highest other class over ``structure`` near it, summed ``(B,)`` where it is positive.

    Near are the pixels that are not the structure's, up to ``reach`` pixels from it along each axis. Arguments as of
    :class:`Objective`; the structure must be among the targeted classes.

    Example:
        >>> logits = torch.tensor([[[0.0, 3.0, 3.0], [1.0, 2.0, 1.0]]])
        >>> grow_structure_margin(logits, torch.tensor([[1, -100, -100]]), structure=1, reach=1)
        tensor([-1.])
    """
    inside = targets == structure
    grown = _POOLS[targets.ndim - 1](inside[:, None].to(logits), 2 * reach + 1, stride=1, padding=reach)[:, 0]
    own, others = _own_and_others(logits, torch.full_like(targets, structure))
    return -sum_over_pixels(torch.where((grown > 0) & ~inside, (others - own).clamp_min(0), 0.0))


def _own_and_others(logits: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Logit ``(B, *spatial)`` of the classes, and the highest other one."""
    places = classes.unsqueeze(1)
    return logits.gather(1, places)[:, 0], logits.scatter(1, places, -torch.inf).amax(1)
