"""Weights of classes, as losses take them."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.messages import broken_rule

__all__ = ["check_class_weights"]


def check_class_weights(class_weights: Tensor | None, logits: Tensor) -> None:
    """Whether there is one weight for each class.

    Args:
        class_weights: weights ``(K,)``; None weighs all classes alike.
        logits: ``(B, K, *spatial)``.

    Raises:
        InputError: if there are more or fewer weights than classes.

    Example:
        >>> import torch
        >>> check_class_weights(torch.ones(3), torch.zeros(1, 3, 8, 8))
    """
    if class_weights is not None and class_weights.shape != logits.shape[1:2]:
        raise broken_rule(
            "class_weights",
            f"one for each of {logits.shape[1]} classes",
            f"shape {tuple(class_weights.shape)}",
            "count the classes of the network",
        )
