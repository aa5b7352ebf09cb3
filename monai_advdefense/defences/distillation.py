"""Defensive distillation: a network learns the softened predictions of another one of its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as functional
from monai.engines.utils import PrepareBatchDefault
from torch import Tensor, nn

from monai_advdefense.losses.class_weights import check_class_weights
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import load_weights

__all__ = ["DistillationBatch", "TemperedLoss", "distillation_loss"]


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, *, temperature: float, class_weights: Tensor | None = None
) -> Tensor:
    """Cross entropy of the student's probabilities against the teacher's, both at a temperature, mean over the pixels.

    It is the Kullback-Leibler divergence of the student from the teacher plus the teacher's entropy. Class weights keep
    the student from leaving out rare classes, and leave the teacher's predictions as the best ones.

    Args:
        logits: logits of the student ``(B, K, *spatial)``.
        teacher_logits: logits of the teacher, same shape; no gradient flows into them.
        temperature: what both are divided by before the softmax; above 0.
        class_weights: weight of each class ``(K,)``; a pixel weighs what the teacher expects of them. 1 if ``None``.

    Raises:
        InputError: if the shapes differ or the temperature is not above 0.

    Source:
        Papernot et al., "Distillation as a Defense to Adversarial Perturbations against Deep Neural Networks"
        (IEEE S&P 2016), section IV.

    Example:
        >>> f"{distillation_loss(torch.zeros(1, 4, 2), torch.ones(1, 4, 2), temperature=20.0).exp():.4f}"
        '4.0000'
    """
    _check_temperature(temperature)
    if logits.shape != teacher_logits.shape:
        raise broken_rule(
            "teacher_logits",
            f"the shape of the student's, {tuple(logits.shape)}",
            tuple(teacher_logits.shape),
            "both networks need the same classes",
        )
    check_class_weights(class_weights, logits)
    teacher_logits = teacher_logits.detach()
    if logits.dtype in (torch.float16, torch.bfloat16):  # a sum over the pixels is beyond half precision
        logits, teacher_logits = logits.float(), teacher_logits.float()
    expected = (teacher_logits / temperature).softmax(1)
    pixel_loss = functional.cross_entropy(logits / temperature, expected, reduction="none")
    if class_weights is not None:
        pixel_loss = pixel_loss * torch.einsum("bk...,k->b...", expected, class_weights.to(expected))
    return pixel_loss.mean()


class TemperedLoss(nn.Module):
    """Another loss at a temperature, for the teacher.

    Args:
        loss: called with logits ``(B, K, *spatial)`` and labels.
        temperature: what the logits are divided by; above 0.

    Raises:
        InputError: if the temperature is not above 0.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], temperature: float) -> None:
        super().__init__()
        _check_temperature(temperature)
        self.loss = loss
        self.temperature = temperature

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Loss of ``logits`` ``(B, K, *spatial)`` over the temperature, against ``label``."""
        return self.loss(logits / self.temperature, label)


class DistillationBatch(PrepareBatchDefault):
    """``prepare_batch`` of an engine that trains a student: the teacher's logits take the place of the labels.

    The teacher is frozen: in evaluation mode and without gradients.

    Args:
        teacher: from ``(B, C, *spatial)`` to logits ``(B, K, *spatial)``, on the engine's device.
        weights: file of the teacher's weights; None takes it as it is.

    Raises:
        InputError: if the file does not hold weights of this network.
    """

    def __init__(self, teacher: nn.Module, weights: str | os.PathLike[str] | None = None) -> None:
        if weights is not None:
            load_weights(weights, teacher)
        self.teacher = teacher

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Images of ``batchdata`` on ``device`` and the teacher's logits for them."""
        image, _ = super().__call__(batchdata, device, non_blocking, **kwargs)
        self.teacher.eval()
        with torch.no_grad():
            return image, self.teacher(image)


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise broken_rule("temperature", "a finite number above 0", temperature, "20 is usual")
