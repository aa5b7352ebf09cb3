"""Weighted logistic and Dice loss for segmentation (Park et al. 2020; weights of Roy et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from monai_advdefense.class_indices import class_indices
from monai_advdefense.losses.class_weights import check_class_weights
from monai_advdefense.messages import broken_rule

__all__ = ["WeightedLogisticDiceLoss", "class_boundary", "median_frequency_weights", "weighted_logistic_dice_loss"]


def median_frequency_weights(frequencies: Tensor) -> tuple[Tensor, float]:
    """Class weights and boundary weight by median frequency balancing.

    Args:
        frequencies: share (or count) of voxels of each class in the training data ``(C,)``, all above 0.

    Returns:
        ``median(f) / f_l`` for each class ``(C,)``, and the boundary weight ``2 * median(f) / min(f)``.

    Raises:
        InputError: if a class does not occur, or a value is not finite.

    Source:
        Roy et al. 2017, "Error Corrective Boosting for Learning Fully Convolutional Networks with Limited Data", eq. 2.

    Example:
        >>> weights, boundary = median_frequency_weights(torch.tensor([8.0, 2.0, 1.0]))
        >>> weights.tolist(), boundary
        ([0.25, 1.0, 2.0], 4.0)
    """
    usable = (frequencies > 0) & torch.isfinite(frequencies)
    if frequencies.ndim != 1 or not bool(usable.all()):
        missing = torch.nonzero(~usable.flatten()).flatten().tolist()
        raise broken_rule(
            "frequencies",
            "a finite value above 0 for every class",
            f"none for classes {missing}",
            "count over all training volumes or leave these classes out",
        )
    # A true median: torch.median takes the lower middle value of an even count.
    median = torch.quantile(frequencies.double(), 0.5)
    weights = (median / frequencies.double()).to(
        frequencies.dtype if frequencies.is_floating_point() else torch.float32
    )
    return weights, float(2.0 * median / frequencies.double().min())


def class_boundary(label: Tensor) -> Tensor:
    """Pixels that touch another class: some neighbour along an axis has another label.

    Args:
        label: integer classes ``(B, *spatial)``.

    Returns:
        Boolean map ``(B, *spatial)``; both sides of a boundary count.
    """
    boundary = torch.zeros_like(label, dtype=torch.bool)
    for axis in range(1, label.ndim):
        length = label.shape[axis]
        differs = label.narrow(axis, 1, length - 1) != label.narrow(axis, 0, length - 1)
        boundary.narrow(axis, 1, length - 1).logical_or_(differs)
        boundary.narrow(axis, 0, length - 1).logical_or_(differs)
    return boundary


def weighted_logistic_dice_loss(
    logits: Tensor,
    label: Tensor,
    *,
    class_weights: Tensor | None = None,
    boundary_weight: float = 0.0,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Weighted logistic loss plus Dice loss, ``-sum w g log p - 2 sum p g / (sum p^2 + sum g^2)``.

    Args:
        logits: network output ``(B, C, *spatial)``.
        label: classes ``(B, *spatial)``, whole numbers from 0 to ``C - 1``.
        class_weights: weight of each class ``(C,)``; 1 if ``None``.
        boundary_weight: added to the weight of pixels at class boundaries (omega_0).
        reduction: ``"mean"`` averages the logistic term over the pixels; ``"sum"`` is the literal formula, in which
            that term drowns the Dice term, whose value lies between -1 and 0.

    Returns:
        Scalar loss, in single precision for logits in half precision. The Dice term is pooled over the batch, formed
        for each class and averaged over the classes.

    Raises:
        InputError: for an unknown reduction, shapes that do not fit, or labels that are not one of the classes.

    Source:
        Park et al. 2020, section "Target networks"; Roy et al. 2017, eq. 1 and 2.
    """
    if reduction not in ("mean", "sum"):
        raise broken_rule("reduction", "'mean' or 'sum'", repr(reduction), "choose one of them")
    if label.shape != logits.shape[:1] + logits.shape[2:]:
        raise broken_rule(
            "label",
            f"shape {tuple(logits.shape[:1] + logits.shape[2:])} to fit the logits",
            tuple(label.shape),
            "drop its channel axis or resize it",
        )
    check_class_weights(class_weights, logits)
    label = class_indices("label", label, logits.shape[1])
    if logits.dtype in (torch.float16, torch.bfloat16):  # counts of pixels are beyond half precision
        logits = logits.float()
    log_probability = functional.log_softmax(logits, dim=1)
    pixel_loss = -log_probability.gather(1, label.unsqueeze(1)).squeeze(1)
    weight = torch.ones_like(pixel_loss) if class_weights is None else class_weights.to(logits)[label]
    if boundary_weight:
        weight = weight + boundary_weight * class_boundary(label)
    logistic = (weight * pixel_loss).sum()
    if reduction == "mean":
        logistic = logistic / label.numel()

    probability = log_probability.exp().transpose(0, 1).flatten(1)
    classes = label.flatten()
    count = torch.bincount(classes, minlength=logits.shape[1]).to(logits)
    chosen = probability.gather(0, classes.unsqueeze(0)).squeeze(0)
    intersection = torch.zeros_like(count).index_add(0, classes, chosen)
    # The smallest float keeps a class that neither occurs nor is predicted at Dice 0 rather than NaN.
    tiny = torch.finfo(logits.dtype).tiny
    dice = 2.0 * intersection / (probability.square().sum(1) + count).clamp_min(tiny)
    return logistic - dice.mean()


class WeightedLogisticDiceLoss(nn.Module):
    """Module of :func:`weighted_logistic_dice_loss` with the weights of the class frequencies in training.

    Args:
        frequencies: share or count of each class in training ``(C,)``; ``None`` gives all classes the weight 1.
        boundary_weight: omega_0; ``None`` takes ``2 * median(f) / min(f)`` (0 without frequencies).
        reduction: see :func:`weighted_logistic_dice_loss`.

    Raises:
        InputError: if a class does not occur, or the boundary weight is negative or not finite.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        frequencies: Sequence[float] | None = None,
        boundary_weight: float | None = None,
        reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        if boundary_weight is not None and not 0 <= boundary_weight < float("inf"):
            raise broken_rule("boundary_weight", "a finite number >= 0", boundary_weight, "0 turns it off")
        weights, derived = None, 0.0
        if frequencies is not None:
            weights, derived = median_frequency_weights(torch.as_tensor(frequencies, dtype=torch.float32))
        self.register_buffer("class_weights", weights, persistent=False)
        self.boundary_weight = derived if boundary_weight is None else boundary_weight
        self.reduction = reduction

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Loss of ``logits`` ``(B, C, *spatial)`` against ``label`` ``(B, 1, *spatial)`` or ``(B, *spatial)``."""
        if label.ndim == logits.ndim:
            label = label.squeeze(1)
        return weighted_logistic_dice_loss(
            logits,
            label,
            class_weights=self.class_weights,
            boundary_weight=self.boundary_weight,
            reduction=self.reduction,  # type: ignore[arg-type]
        )
