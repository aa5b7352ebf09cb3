"""The objective of CosPGD."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.attacks.objectives.objective import pixelwise, sum_over_pixels

__all__ = ["cospgd"]


def cospgd(logits: Tensor, targets: Tensor, progress: float = 0.0) -> Tensor:
    """Cross entropy ``(B,)``, each pixel weighted by how right it is; arguments as of :class:`Objective`.

    The weight is the cosine between the softmax of the logits and the one-hot label, and has no gradient.

    Source:
        Agnihotri, Jung, Keuper, "CosPGD: an efficient white-box adversarial attack for pixel-wise prediction tasks"
        (ICML 2024), equation 5, there averaged over pixels.

    Example:
        >>> cospgd(torch.tensor([[[3.0, 0.0], [1.0, 2.0]]]), torch.tensor([[0, 0]]))
        tensor([0.4110])
    """
    probabilities = logits.detach().softmax(1)
    own = probabilities.gather(1, targets.clamp_min(0).unsqueeze(1))[:, 0]
    cosine = own / torch.linalg.vector_norm(probabilities, dim=1)
    return sum_over_pixels(cosine * pixelwise(logits, targets))
