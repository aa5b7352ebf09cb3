"""How far two predictions differ: the Jensen-Shannon divergence, per pixel and per sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from monai_advdefense.errors import InputError

__all__ = [
    "counted_pixels",
    "divergence_score",
    "jensen_shannon_divergence",
    "mean_by_structure",
    "predicted_structures",
    "structure_divergence",
]


def jensen_shannon_divergence(logits: Tensor, other: Tensor, temperature: float = 1.0) -> Tensor:
    """Jensen-Shannon divergence of the softmax over axis 1 of two logits, for each pixel.

    Symmetric; 0 where the predictions are the same, ``ln 2`` where they exclude each other. Value and gradient are
    finite for all finite ``logits / temperature``, however large. Can be scripted.

    Args:
        logits: ``(B, C, *spatial)``.
        other: logits of the same shape.
        temperature: divides both logits; above 1 it shows differences between predictions that are almost certain.

    Returns:
        Divergences ``(B, *spatial)`` in nats, in ``[0, ln 2]``; NaN where a logit is NaN or positive infinity.

    Raises:
        InputError: the shapes differ, or ``temperature`` is not a positive, finite number.

    Source:
        Lin, "Divergence Measures Based on the Shannon Entropy" (1991); for detection, with the temperature: Meng,
        Chen, "MagNet" (CCS 2017), detector based on probability divergence.

    Example:
        >>> certain = torch.tensor([[50.0, -50.0]])
        >>> jensen_shannon_divergence(certain, -certain)
        tensor([0.6931])
        >>> jensen_shannon_divergence(certain, certain)
        tensor([0.])
    """
    if not (temperature > 0.0 and math.isfinite(temperature)):
        raise InputError(f"temperature: expected a positive, finite number, found {temperature}: 1 is usual")
    if logits.shape != other.shape:
        raise InputError(
            f"other: expected the shape of logits, {logits.shape}, found {other.shape}: give logits of the same images"
        )
    first = _log_probabilities(logits, temperature)
    second = _log_probabilities(other, temperature)
    p, q = first.exp(), second.exp()
    middle = 0.5 * (p + q)
    # No product of matrices or vectors: under autocast that would be in half precision, and the difference is small.
    entropies = (p * first).sum(dim=1) + (q * second).sum(dim=1)
    # The smallest probability has a finite logarithm, and zero times that is zero.
    divergence = 0.5 * entropies - (middle * middle.clamp_min(1e-37).log()).sum(dim=1)
    # Rounding can leave the range by some 1e-7.
    return torch.clamp(divergence, 0.0, math.log(2.0))


def divergence_score(
    logits: Tensor, other: Tensor, image: Tensor, temperature: float = 1.0, foreground: float = 0.05
) -> Tensor:
    """Mean of the Jensen-Shannon divergence over the pixels that show the object: those not close to 0.

    Faint noise in an empty background must not count: predictions agree there, and the mean over such a background
    would hide that they disagree on the object.

    Args:
        logits: ``(B, C, *spatial)``, usually of the image.
        other: logits of the same shape, usually of the reformed image.
        image: ``(B, channels, *spatial)`` in [0, 1].
        temperature: see :func:`jensen_shannon_divergence`.
        foreground: a pixel counts where ``image`` is above this in any channel; in a sample without such a pixel, where
            it is above 0.

    Returns:
        Scores ``(B,)`` in nats, in ``[0, ln 2]``; 0 for a blank sample (no voxel above 0). NaN if a logit of the
        sample is not finite, at whatever pixel: what was not compared does not count as equal.

    Raises:
        InputError: see :func:`jensen_shannon_divergence`; or the image has another batch or spatial size.
    """
    _check_shapes(logits, other, image)
    brightest = image.amax(dim=1)
    bright = brightest > foreground
    faint = ~bright.flatten(1).any(dim=1).view([-1] + [1] * (bright.dim() - 1))
    inside = bright | (faint & (brightest > 0))
    # Logarithms of the counted pixels only: they are most of the cost, and much of an image is background.
    # All at once: an export cannot tell into how many parts they would fall.
    divergence = jensen_shannon_divergence(logits.movedim(1, -1)[inside], other.movedim(1, -1)[inside], temperature)
    sample = torch.nonzero(inside)[:, 0]
    count = inside.flatten(1).sum(dim=1).clamp_min(1)
    mean = torch.zeros(image.shape[0], dtype=divergence.dtype, device=divergence.device)
    mean = mean.index_add(0, sample, divergence) / count
    finite = torch.isfinite(_total(logits) + _total(other))
    score: Tensor = torch.where(finite, mean, torch.full_like(mean, math.nan))
    return score


def structure_divergence(
    logits: Tensor,
    other: Tensor,
    image: Tensor,
    temperature: float = 4.0,
    foreground: float = 0.05,
    labels: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean Jensen-Shannon divergence over the pixels of each predicted class, and how many these are.

    A small structure counts as much as a large one, where the mean over all pixels would hide it. A pixel belongs to
    the class that ``other`` predicts; to class 0 only where the image shows the object. Can be scripted.

    Args:
        logits: ``(B, C, *spatial)``, usually of the image.
        other: logits of the same shape, usually of the reformed image.
        image: ``(B, channels, *spatial)`` in [0, 1].
        temperature: see :func:`jensen_shannon_divergence`.
        foreground: a pixel of class 0 counts where ``image`` is above this in any channel.
        labels: ``(B, *spatial)``, the classes that ``other`` predicts, where they are known; None finds them.

    Returns:
        Mean divergences ``(B, C)`` in nats, in ``[0, ln 2]``, 0 for a class without a pixel, and numbers of pixels
        ``(B, C)`` int64. The divergences of a sample are NaN if one of its logits is not finite, at whatever pixel.
        They can be differentiated by both logits; which class a pixel belongs to is taken as given.

    Raises:
        InputError: see :func:`divergence_score`.

    Example:
        >>> logits = torch.tensor([[[9.0, 9.0, 0.0], [0.0, 0.0, 9.0]]])
        >>> other = torch.tensor([[[9.0, 9.0, 9.0], [0.0, 0.0, 0.0]]])
        >>> mean, count = structure_divergence(logits, other, torch.tensor([[[0.0, 0.5, 0.5]]]), temperature=1.0)
        >>> mean, count
        (tensor([[0.3460, 0.0000]]), tensor([[2, 0]]))
    """
    _check_shapes(logits, other, image)
    predicted, inside = predicted_structures(other, image, foreground, labels)
    divergence = _counted_divergence(logits, other, inside, temperature)
    mean, count = mean_by_structure(divergence, predicted, inside, logits.shape[1])
    finite = torch.isfinite(_total(logits) + _total(other)).unsqueeze(1)
    return torch.where(finite, mean, torch.full_like(mean, math.nan)), count


def predicted_structures(
    logits: Tensor, image: Tensor, foreground: float = 0.05, labels: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Predicted classes ``(B, *spatial)``, and which pixels count: all but those of class 0 outside of the object.

    ``labels`` are the classes, where they are known.
    """
    # argmax costs several times as much on CPU.
    predicted = logits.detach().max(dim=1)[1] if labels is None else labels
    return predicted, (predicted != 0) | (image.amax(dim=1) > foreground)


def mean_by_structure(values: Tensor, predicted: Tensor, inside: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mean and number ``(B, C)`` of the values ``(N,)`` of the pixels ``inside``, for each class; 0 without a pixel."""
    place = torch.nonzero(inside)[:, 0] * num_classes + predicted[inside]
    count = torch.bincount(place, minlength=predicted.shape[0] * num_classes).view(-1, num_classes)
    total = torch.zeros(count.numel(), dtype=values.dtype, device=values.device).index_add(0, place, values)
    return total.view(-1, num_classes) / count.clamp_min(1), count


def _check_shapes(logits: Tensor, other: Tensor, image: Tensor) -> None:
    if logits.shape != other.shape or logits.shape[:1] + logits.shape[2:] != image.shape[:1] + image.shape[2:]:
        raise InputError(
            f"logits, other, image: expected (B, C, *spatial) twice and (B, channels, *spatial), found {logits.shape}, "
            f"{other.shape} and {image.shape}: give logits of this image"
        )


def _total(logits: Tensor) -> Tensor:
    """Sum ``(B,)``, not finite as soon as one logit is not; in half precision it would overflow."""
    axes = list(range(1, logits.dim()))
    return logits.detach().sum(axes, dtype=torch.promote_types(logits.dtype, torch.float32))


def counted_pixels(logits: Tensor, inside: Tensor, pixels: int = 2048) -> list[Tensor]:
    """Logits ``(1, C, n)`` of the pixels in ``inside`` ``(B, *spatial)``, some at a time, of 1 or more samples.

    So what is computed of them stays in the processor's cache, and sums over classes are sums of vectors.
    """
    parts: list[Tensor] = []
    if logits.shape[0] == 0:  # what joins the parts takes no empty list
        parts.append(logits.flatten(2).reshape(1, logits.shape[1], 0))
        return parts
    for number, sample in enumerate(logits.flatten(2).split(1)):
        places = torch.nonzero(inside[number].flatten()).flatten()
        # Of all ways to take some columns the one that is fast in any layout.
        parts += [sample.gather(2, part.expand(1, sample.shape[1], -1)) for part in places.split(pixels)]
    return parts


def _counted_divergence(logits: Tensor, other: Tensor, inside: Tensor, temperature: float) -> Tensor:
    """Divergences ``(N,)`` of the pixels in ``inside`` ``(B, *spatial)``."""
    others = counted_pixels(other, inside)
    parts = [
        jensen_shannon_divergence(part, others[place], temperature)[0]
        for place, part in enumerate(counted_pixels(logits, inside))
    ]
    return torch.cat(parts)


def _log_probabilities(logits: Tensor, temperature: float) -> Tensor:
    """Log-probabilities ``(B, C, *spatial)``."""
    if logits.dtype == torch.float16 or logits.dtype == torch.bfloat16:  # the divergence is a small difference
        logits = logits.float()
    if temperature != 1.0:
        logits = logits / temperature
    # A probability under exp(-1000) is 0 in any precision; 0 * infinity would be NaN.
    return torch.log_softmax(logits, dim=1).clamp_min(-1000.0)
