"""The objective of DAG, without a target."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.logits import predicted_as
from monai_advdefense.attacks.objectives.objective import sum_over_pixels

__all__ = ["dag_logit"]


def dag_logit(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Minus the logits of the targeted pixels still predicted as theirs, summed ``(B,)``; see :class:`Objective`.

    What :func:`~monai_advdefense.attacks.dag` lowers by default, here for a ball with a budget.

    Source:
        Xie et al., "Adversarial Examples for Semantic Segmentation and Object Detection" (ICCV 2017), algorithm 1,
        without the logit of the target, as Park et al. 2020 run it.

    Example:
        >>> dag_logit(torch.tensor([[[3.0, 0.0], [1.0, 2.0]]]), torch.tensor([[0, 0]]))
        tensor([-3.])
    """
    classes = targets.clamp_min(0).unsqueeze(1)
    active = predicted_as(logits.detach(), classes)[:, 0] & (targets >= 0)
    return -sum_over_pixels(torch.where(active, logits.gather(1, classes)[:, 0], 0.0))
