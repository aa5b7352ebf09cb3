"""Area and place of each predicted structure, and which structures touch, as numbers of a slice."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.errors import InputError

__all__ = ["structure_contacts", "structure_shape"]


def structure_shape(logits: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Area and centroid of each class of a prediction. Can be scripted.

    The values are those of the predicted labels. If ``logits`` needs a gradient, it is that of the same numbers with
    the softmax in place of the labels (straight-through), so that an attacker can climb them.

    Args:
        logits: ``(B, C, *spatial)``.
        labels: ``(B, *spatial)``, the predicted classes, where they are known; ``logits`` without a gradient may then
            be those of a part. None finds them.

    Returns:
        Areas ``(B, C)`` in pixels and centroids ``(B, C, D)`` in pixels from the first one, one number for each of the
        D spatial axes, 0 for a class without a pixel. NaN for a sample with a logit that is not finite.

    Raises:
        InputError: there are fewer than 2 classes or no spatial axis.

    Source:
        The gradient: Bengio, Leonard, Courville, "Estimating or Propagating Gradients Through Stochastic Neurons"
        (2013), section 4.

    Example:
        >>> logits = torch.tensor([[[0.0, 0.0, 9.0, 0.0], [1.0, 1.0, 0.0, 1.0]]])
        >>> structure_shape(logits)
        (tensor([[1., 3.]]), tensor([[[2.0000],
                 [1.3333]]]))
    """
    if logits.dim() < 3 or logits.shape[1] < 2:
        raise InputError(
            f"logits: expected (B, C, *spatial) with at least 2 classes, found {logits.shape}: give logits"
        )
    plain = logits.detach()
    # argmax costs several times as much on CPU.
    labels = plain.max(dim=1)[1] if labels is None else labels
    places = _coordinates(labels, torch.promote_types(plain.dtype, torch.float32))
    predicted = labels.flatten(1)
    weights = torch.ones_like(predicted, dtype=places.dtype)
    area = torch.zeros(plain.shape[:2], dtype=places.dtype, device=plain.device).scatter_add(1, predicted, weights)
    sums = [torch.zeros_like(area).scatter_add(1, predicted, axis.expand(predicted.shape)) for axis in places]
    centroid = torch.stack(sums, dim=2) / area.clamp_min(1.0).unsqueeze(2)
    if logits.requires_grad:
        probability = logits.to(places.dtype).softmax(dim=1).flatten(2)
        soft = probability.sum(dim=2)
        middle = torch.matmul(probability, places.transpose(0, 1)) / soft.clamp_min(1e-6).unsqueeze(2)
        area = area + (soft - soft.detach())
        centroid = centroid + (middle - middle.detach())
    total = plain.sum(list(range(1, plain.dim())), dtype=torch.promote_types(plain.dtype, torch.float32))
    # Not a number as soon as one logit is not.
    spoil = (total - total).to(area.dtype)
    return area + spoil.view(-1, 1), centroid + spoil.view(-1, 1, 1)


def structure_contacts(labels: Tensor, num_classes: int) -> Tensor:
    """Count the pairs of neighbouring pixels of two classes, ``(B, C, C)`` int64, symmetric, the diagonal 0.

    Args:
        labels: predicted classes ``(B, *spatial)``, integers from 0 to ``num_classes - 1``.
        num_classes: number of classes C, background included.

    Example:
        >>> structure_contacts(torch.tensor([[[0, 0, 1], [0, 2, 1]]]), 3)[0]
        tensor([[0, 1, 2],
                [1, 0, 1],
                [2, 1, 0]])
    """
    batch = torch.arange(labels.shape[0], device=labels.device).view([-1] + [1] * (labels.dim() - 1))
    size = num_classes * num_classes
    count = torch.zeros(labels.shape[0] * size, dtype=torch.int64, device=labels.device)
    for axis in range(1, labels.dim()):
        length = labels.shape[axis] - 1
        first, second = labels.narrow(axis, 0, length).long(), labels.narrow(axis, 1, length).long()
        pair = (batch * num_classes + first) * num_classes + second
        count += torch.bincount(pair[first != second], minlength=count.numel())
    table = count.view(-1, num_classes, num_classes)
    return table + table.transpose(1, 2)


def _coordinates(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """Coordinates ``(D, pixels)`` of all pixels."""
    axes = [torch.arange(size, device=labels.device, dtype=dtype) for size in labels.shape[1:]]
    return torch.stack([axis.flatten() for axis in torch.meshgrid(axes, indexing="ij")])
