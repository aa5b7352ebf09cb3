"""Batches that were attacked through a reformer and the segmenter behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.engines.utils import PrepareBatchDefault
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.class_indices import class_indices
from monai_advdefense.messages import broken_rule

__all__ = ["AttackedReformerBatch"]


class AttackedReformerBatch(PrepareBatchDefault):
    """``prepare_batch`` of an engine that trains or validates a reformer against who knows it and the segmenter.

    Each image is attacked by PGD in the L2 norm through the reformer as it is now and the segmenter, from a random
    start, where it is above 0 only. Its budget is drawn from ``norms``, so that the reformer learns to undo strong
    attacks without giving up on weak ones. Weights, gradients and batch statistics stay as they are.

    Args:
        reformer: from ``(B, C, *spatial)`` to the same shape, the network that is trained.
        segmenter: from images to logits ``(B, K, *spatial)``.
        norms: L2 norms of the perturbation, in units of the image.
        steps: steps of the attack; one is Wong's fast training.

    Raises:
        InputError: a norm is below 0 or there is none, or a batch has no labels behind its clean images.

    Source:
        Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018), equation 2.1; Wong,
        Rice, Kolter, "Fast is better than free" (ICLR 2020), algorithm 3.
    """

    def __init__(self, reformer: nn.Module, segmenter: nn.Module, *, norms: Sequence[float], steps: int = 1) -> None:
        check_at_least("steps", steps, 1)
        if not norms or not all(norm >= 0 for norm in norms):
            raise broken_rule("norms", "at least one norm, each >= 0", list(norms), "give norms such as [0.44, 1.46]")
        self.reformer = reformer
        self.attacked = nn.Sequential(reformer, segmenter)
        self.norms = torch.tensor(list(norms), dtype=torch.float32)
        self.steps = steps

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
        radius = self.norms[torch.randint(len(self.norms), (len(image),))].to(image.device)
        result = pgd(
            self.attacked,
            image,
            class_indices("batchdata: label", target[:, -1]),
            radius=radius,
            steps=self.steps,
            step_size=radius * (1.0 if self.steps == 1 else 2.0 / self.steps),
            mask=(image > 0).any(1, keepdim=True),
            bounds=None,
            include_background=True,
            generator=torch.default_generator,
        )
        return result.image, target
