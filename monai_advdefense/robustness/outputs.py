"""What a network returns, as labels and as counts of voxels."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.task import ACTIVATIONS
from monai_advdefense.messages import broken_rule
from monai_advdefense.metrics import overlap_counts

__all__ = ["ACTIVATIONS", "predicted", "structure_counts"]


def predicted(logits: Tensor, activation: str) -> Tensor:
    """What logits ``(B, K, *spatial)`` predict: classes ``(B, *spatial)``, or of a sigmoid 0 and 1 in their shape.

    Raises:
        InputError: if there is a single channel and no sigmoid, or a logit is not finite.
    """
    if not bool(torch.isfinite(logits).all()):
        raise broken_rule("network", "finite logits", "NaN or infinity", "look for broken weights or inputs")
    if activation == "sigmoid":
        return (logits > 0).long()
    if logits.shape[1] < 2:
        raise broken_rule("network", "logits of two classes or more", "one channel", "set activation to sigmoid")
    return logits.max(1).indices  # argmax takes several times as long on the CPU


def structure_counts(logits: Tensor, label: Tensor, activation: str) -> Tensor:
    """Sizes from which the Dice of each structure follows.

    Args:
        logits: ``(B, K, *spatial)``.
        label: classes ``(B, *spatial)``, or of a sigmoid 0 and 1 ``(B, K, *spatial)``.
        activation: ``"softmax"`` or ``"sigmoid"``.

    Returns:
        Voxels ``(B, S, 3)`` int64 in the intersection, in the prediction and in the label, for each of S structures
        beside the background.

    Raises:
        InputError: if the label does not fit the logits.

    Example:
        >>> structure_counts(torch.tensor([[[1.0, -1.0, 2.0]]]), torch.tensor([[[1, 1, 0]]]), "sigmoid").tolist()
        [[[1, 2, 2]]]
    """
    found = predicted(logits, activation)
    if activation == "softmax":
        return overlap_counts(found, label, logits.shape[1])[:, 1:]
    if label.shape != found.shape:
        rule = f"shape {tuple(found.shape)}, 0 and 1 for each structure"
        raise broken_rule("label", rule, tuple(label.shape), "give one channel for each structure")
    both = (found.flatten(0, 1), label.long().flatten(0, 1))
    return overlap_counts(*both, 2)[:, 1].view(*found.shape[:2], 3)
