"""Dice overlap with a stated rule for absent classes, and the paper's soft Dice."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_advdefense.class_indices import class_indices
from monai_advdefense.messages import broken_rule

__all__ = ["dice_from_counts", "dice_per_class", "mean_dice", "overlap_counts", "soft_dice"]


def overlap_counts(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Sizes from which the Dice of each class follows, for each sample.

    Counts can be added: over the slices of a volume, or over all slices of a subject. One pass over the voxels,
    however many classes there are.

    Args:
        prediction: predicted classes ``(B, *spatial)``, whole numbers from 0 to ``num_classes - 1``.
        label: true classes ``(B, *spatial)``, likewise.
        num_classes: number of classes C, the background included. A further class such as "rejected" can be counted
            as one more and left out afterwards.

    Returns:
        Voxels ``(B, C, 3)`` int64 in the intersection, in the prediction and in the label.

    Raises:
        InputError: if the shapes differ or a value is not one of the classes.

    Example:
        >>> slices = torch.tensor([[0, 1, 1, 2], [0, 0, 1, 1]])
        >>> counts = overlap_counts(slices, torch.tensor([[0, 1, 1, 1], [0, 0, 0, 1]]), num_classes=3)
        >>> counts[0].tolist()
        [[1, 1, 1], [2, 2, 3], [0, 1, 0]]
        >>> dice_from_counts(counts.sum(dim=0))[1].item()
        0.75
    """
    if prediction.shape != label.shape or prediction.ndim < 2:
        raise broken_rule(
            "prediction",
            "classes (B, *spatial) of the same shape as label",
            f"{tuple(prediction.shape)} and {tuple(label.shape)}",
            "drop channel axes or resize one of them",
        )
    bins = prediction.shape[0] * num_classes
    predicted = class_indices("prediction", prediction, num_classes).flatten(1)
    true = class_indices("label", label, num_classes).flatten(1)
    offset = num_classes * torch.arange(prediction.shape[0], device=predicted.device).unsqueeze(1)
    predicted, true = (predicted + offset).flatten(), (true + offset).flatten()
    counts = [torch.bincount(values, minlength=bins) for values in (true[true == predicted], predicted, true)]
    return torch.stack(counts, dim=-1).reshape(prediction.shape[0], num_classes, 3)


def dice_from_counts(counts: Tensor) -> Tensor:
    """Dice of each class from :func:`overlap_counts`, or from a sum of them.

    A class that is absent in the label and in the prediction has no Dice: NaN, left out of means. A class that is
    absent in the label but predicted, or the other way round, has Dice 0.

    Args:
        counts: voxels ``(..., C, 3)`` in the intersection, in the prediction and in the label.

    Returns:
        Dice ``(..., C)`` float64 from 0 to 1, or NaN.
    """
    intersection, prediction, label = counts.double().unbind(dim=-1)
    return 2 * intersection / (prediction + label)


def dice_per_class(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Hard Dice of each foreground class of each sample.

    A sample is a slice or a volume. For one figure over all slices of a subject add their :func:`overlap_counts`
    instead. The rule for absent classes is that of :func:`dice_from_counts`; ``monai.metrics.compute_dice`` also leaves
    out classes that are predicted although the label has none, which hides false positives.

    Args:
        prediction: predicted classes ``(B, *spatial)``, whole numbers from 0 to ``num_classes - 1``.
        label: true classes ``(B, *spatial)``, likewise.
        num_classes: number of classes C, the background included.

    Returns:
        Dice ``(B, C - 1)`` float64 from 0 to 1, or NaN for excluded classes.

    Raises:
        InputError: if the shapes differ or a value is not one of the classes.

    Example:
        >>> dice_per_class(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 1, 1]]), num_classes=4).tolist()
        [[0.8, 0.0, nan]]
    """
    return dice_from_counts(overlap_counts(prediction, label, num_classes))[:, 1:]


def mean_dice(prediction: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """Mean of :func:`dice_per_class` over the foreground classes that are not excluded.

    Returns:
        Mean Dice ``(B,)`` float64; NaN where neither label nor prediction has any foreground.

    Raises:
        InputError: if the shapes differ or a value is not one of the classes.
    """
    return dice_per_class(prediction, label, num_classes).nanmean(dim=-1)


def soft_dice(probabilities: Tensor, label: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Soft Dice of the paper's own evaluation: mean over all classes, the background included.

    For each class ``(2 sum p g + smooth) / (sum p + sum g + smooth)``. An absent class counts as nearly 1 if its
    probabilities add up to nearly nothing, and as nearly 0 if they add up to some pixels, however thinly spread. So the
    figure tells as much of the sharpness of the softmax as of the segmentation, may lie far above or below
    :func:`mean_dice`, and serves only to set figures beside those of the paper. Their sums run over a batch of 10
    slices, ours over one sample.

    Args:
        probabilities: softmax of the logits ``(B, C, *spatial)``, background first.
        label: true classes ``(B, *spatial)``, whole numbers from 0 to ``C - 1``.
        smooth: constant added to both sides of the fraction.

    Returns:
        Soft Dice ``(B,)`` from 0 to 1.

    Raises:
        InputError: if the shapes do not fit, a label is not one of the classes, or probabilities do not add up to 1.

    Source:
        Park et al. 2020, figure 4; the smoothing and the classes are those of the first author's public scripts.
    """
    expected = probabilities.shape[:1] + probabilities.shape[2:]
    if label.shape != expected:
        raise broken_rule(
            "label",
            f"shape {tuple(expected)} to fit the probabilities",
            tuple(label.shape),
            "drop its channel axis or resize it",
        )
    # Half precision adds up to 1 within a few thousandths.
    if not bool(((probabilities.sum(dim=1) - 1).abs() < 0.02).all()) or bool((probabilities < 0).any()):
        raise broken_rule("probabilities", "to add up to 1 over the classes", "others", "apply softmax first")
    flat = probabilities.flatten(2)
    if flat.dtype in (torch.float16, torch.bfloat16):  # counts of pixels are beyond half precision
        flat = flat.float()
    classes = class_indices("label", label, flat.shape[1]).flatten(1).unsqueeze(1)
    chosen = torch.zeros_like(flat).scatter_(1, classes, 1)
    numerator = 2 * (flat * chosen).sum(dim=-1) + smooth
    return (numerator / (flat.sum(dim=-1) + chosen.sum(dim=-1) + smooth)).mean(dim=-1)
