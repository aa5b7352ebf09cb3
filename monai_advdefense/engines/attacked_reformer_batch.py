"""Batches that were attacked through a reformer and the segmenter behind it."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines.utils import PrepareBatchDefault
from torch import Tensor, nn

from monai_advdefense.class_indices import class_indices
from monai_advdefense.defences.adversarial_training import Attack
from monai_advdefense.messages import broken_rule

__all__ = ["AttackedReformerBatch"]


class AttackedReformerBatch(PrepareBatchDefault):
    """``prepare_batch`` of an engine that trains or validates a reformer against who knows it and the segmenter.

    Each image is attacked, where it is above 0 only, through the reformer as it is now and the segmenter. Weights,
    gradients and batch statistics stay as they are.

    Args:
        reformer: from ``(B, C, *spatial)`` to the same shape, the network that is trained.
        segmenter: from images to logits ``(B, K, *spatial)``.
        attack: such as :class:`~monai_advdefense.defences.TrainingAttack`, called as for
            :class:`~monai_advdefense.defences.AdversarialBatch`.

    Raises:
        InputError: a batch has no labels behind its clean images.
    """

    def __init__(self, reformer: nn.Module, segmenter: nn.Module, attack: Attack) -> None:
        self.attacked = nn.Sequential(reformer, segmenter)
        self.attack = attack

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Attacked images ``(B, C, *spatial)`` and their targets ``(B, C + 1, *spatial)``, clean images and labels."""
        image, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        if target is None or target.shape[1] != image.shape[1] + 1:
            found = "none" if target is None else tuple(target.shape)
            rule = "clean images and labels (B, C + 1, *spatial)"
            raise broken_rule("batchdata: label", rule, found, "join clean image and label by ConcatItemsd")
        classes = class_indices("batchdata: label", target[:, -1])
        result = self.attack(self.attacked, image, classes, mask=(image > 0).any(1, keepdim=True))
        return result.image, target
