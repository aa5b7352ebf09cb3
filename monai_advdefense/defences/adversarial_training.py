"""Adversarial training: the network learns from images that were attacked to mislead it."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from monai.engines.utils import PrepareBatchDefault
from torch import Tensor, nn

from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.class_indices import class_indices
from monai_advdefense.messages import broken_rule

__all__ = ["AdversarialBatch"]


class Attack(Protocol):
    """What :func:`~monai_advdefense.attacks.fgsm` and :func:`~monai_advdefense.attacks.pgd` with a budget are."""

    def __call__(self, network: nn.Module, image: Tensor, label: Tensor, *, mask: Tensor) -> AttackResult: ...


class AdversarialBatch(PrepareBatchDefault):
    """``prepare_batch`` of an engine that trains or validates a network on images attacked against its present state.

    Every image of every batch is attacked, where it is above 0 only. The attack sees the network in evaluation mode;
    weights, gradients and batch statistics stay as they are.

    Args:
        network: the network that is trained, on the engine's device.
        attack: called as ``attack(network, image, label, mask=...)``. Augmentation may carry images out of [0, 1]: an
            attack within bounds would refuse these.

    Raises:
        InputError: if a batch has no labels, or others than class indices in one channel.

    Source:
        Goodfellow, Shlens, Szegedy, "Explaining and Harnessing Adversarial Examples" (ICLR 2015), section 6, here
        without the clean half of the loss; Madry et al., "Towards Deep Learning Models Resistant to Adversarial
        Attacks" (ICLR 2018), equation 2.1.

    Example:
        >>> from functools import partial
        >>> from monai_advdefense.attacks import fgsm
        >>> batch = {"image": torch.tensor([[[0.5], [0.4]]]), "label": torch.tensor([[[1]]])}  # (B, C, W), its logits
        >>> AdversarialBatch(nn.Identity(), partial(fgsm, epsilon=0.125))(batch)[0]
        tensor([[[0.6250],
                 [0.2750]]])
    """

    def __init__(self, network: nn.Module, attack: Attack) -> None:
        self.network = network
        self.attack = attack

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Attacked images ``(B, C, *spatial)`` and the labels ``(B, 1, *spatial)`` of ``batchdata`` on ``device``."""
        image, label = super().__call__(batchdata, device, non_blocking, **kwargs)
        if label is None:
            raise broken_rule("batchdata", "images with labels", "no label", "an attack needs the true classes")
        if label.shape[1] != 1:
            raise broken_rule(
                "batchdata",
                "labels (B, 1, *spatial) of class indices",
                tuple(label.shape),
                "make the labels one-hot in the loss, not before",
            )
        # Augmentation turns labels into floating point.
        classes = class_indices("batchdata: label", label[:, 0])
        result = self.attack(self.network, image, classes, mask=(image > 0).any(1, keepdim=True))
        return result.image, label
