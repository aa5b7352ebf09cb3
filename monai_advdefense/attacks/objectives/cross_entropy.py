"""Cross entropy of the targeted pixels."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels

__all__ = ["cross_entropy"]


def cross_entropy(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Cross entropy ``(B,)``, summed over the targeted pixels; arguments as of :class:`Objective`.

    Source:
        Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018).

    Example:
        >>> import torch
        >>> cross_entropy(torch.zeros(1, 2, 3), torch.tensor([[0, 1, -100]]))
        tensor([1.3863])
    """
    return sum_over_pixels(pixelwise(logits, targets))
