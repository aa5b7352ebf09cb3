"""Adversarial targets: pure functions from a label map to the label map that an attack asks for.

All of them work out of place on ``(B, *spatial)`` with any number of spatial dimensions. Class 0 is the background.
Random ones draw sample by sample in order from one generator, so that a batch gives what its samples give in turn.
"""

from __future__ import annotations

import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from monai_advdefense.attacks.arguments import check_at_least, check_label
from monai_advdefense.messages import broken_rule

__all__ = ["all_background", "dilate_structure", "random_derangement", "swap_most_frequent"]


def all_background(label: Tensor) -> Tensor:
    """Ask for background everywhere (type A of Paschali et al. 2018).

    Args:
        label: class indices ``(B, *spatial)``.

    Returns:
        Zeros of the shape and dtype of ``label``.

    Raises:
        InputError: if ``label`` is not an integer map of classes >= 0.

    Example:
        >>> all_background(torch.tensor([[[0, 1], [2, 1]]]))
        tensor([[[0, 0],
                 [0, 0]]])
    """
    check_label("label", label)
    return torch.zeros_like(label)


def swap_most_frequent(label: Tensor, *, count: int = 3) -> Tensor:
    """Exchange the most frequent structures of each sample (type B of Paschali et al. 2018).

    The ``count`` most frequent foreground classes of a sample change places in a cycle: every pixel of the most
    frequent one asks for the second, of the second for the third, of the last for the first. Three is what the text of
    the source names; two is the plain swap. Equal frequencies are ordered by class index. A sample with fewer classes
    cycles those that it has; one with fewer than two comes back unchanged.

    Args:
        label: class indices ``(B, *spatial)``.
        count: how many classes change places, at least 2.

    Returns:
        Target class indices of the shape and dtype of ``label``.

    Raises:
        InputError: if ``label`` is not an integer map of classes >= 0 or ``count`` is below 2.

    Example:
        >>> swap_most_frequent(torch.tensor([[[0, 1, 1], [5, 5, 5]]]))
        tensor([[[0, 5, 5],
                 [1, 1, 1]]])
    """
    check_label("label", label)
    check_at_least("count", count, 2)
    return _joined([_cycle_most_frequent(sample, count) for sample in label], label)


def dilate_structure(label: Tensor, *, generator: torch.Generator, iterations: int = 6) -> Tensor:
    """Let one random structure of each sample grow over its neighbours (type C of Paschali et al. 2018).

    The structure is drawn uniformly from the foreground classes present in the sample and dilated with the cross of
    direct neighbours, as ``scipy.ndimage.binary_dilation`` does. A sample without foreground comes back unchanged.

    Args:
        label: class indices ``(B, *spatial)``.
        generator: source of the draws.
        iterations: radius of the growth in pixels (city-block distance), at least 1.

    Returns:
        Target class indices of the shape and dtype of ``label``.

    Raises:
        InputError: if ``label`` is not an integer map of classes >= 0 or ``iterations`` is below 1.
    """
    check_label("label", label)
    check_at_least("iterations", iterations, 1)
    return _joined([_dilate_one(sample, generator, iterations) for sample in label], label)


def random_derangement(label: Tensor, num_classes: int, *, generator: torch.Generator) -> Tensor:
    """Ask of every class another one: a random permutation pi with pi(c) != c, one draw per sample.

    Source: Xie et al. 2017, section 3.2. The draw is uniform over all such permutations; background takes part.

    Args:
        label: class indices ``(B, *spatial)``, below ``num_classes``.
        num_classes: number of classes with background, at least 2.
        generator: source of the draws.

    Returns:
        Target class indices of the shape and dtype of ``label``; no pixel keeps its class.

    Raises:
        InputError: if ``label`` is not an integer map of classes in [0, ``num_classes``) or ``num_classes`` is below 2.
    """
    check_label("label", label)
    check_at_least("num_classes", num_classes, 2)
    if label.numel() and label.max() >= num_classes:
        raise broken_rule("label", f"classes below {num_classes}", int(label.max()), "correct num_classes")
    return _joined([_derangement(num_classes, generator).to(sample)[sample.long()] for sample in label], label)


def _joined(samples: list[Tensor], label: Tensor) -> Tensor:
    """Samples as one batch, which may be empty as ``label`` is."""
    return torch.stack(samples) if samples else label.clone()


def _cycle_most_frequent(label: Tensor, count: int) -> Tensor:
    """Cycle the most frequent foreground classes of one sample."""
    frequency = torch.bincount(label.flatten().long())
    frequency[:1] = 0
    order = torch.argsort(frequency, descending=True, stable=True)[: min(count, int((frequency > 0).sum()))]
    exchange = torch.arange(len(frequency), device=label.device)
    exchange[order] = order.roll(-1)
    return exchange.to(label.dtype)[label.long()]


def _dilate_one(label: Tensor, generator: torch.Generator, iterations: int) -> Tensor:
    """Dilate one random foreground class of one sample."""
    present = torch.bincount(label.flatten().long())[1:].nonzero().flatten() + 1
    if not len(present):
        return label.clone()
    drawn = torch.randint(len(present), (1,), generator=generator, device=generator.device).item()
    structure = present[int(drawn)]
    grown = torch.from_numpy(binary_dilation((label == structure).cpu().numpy(), iterations=iterations))
    return torch.where(grown.to(label.device), structure, label)


def _derangement(num_classes: int, generator: torch.Generator) -> Tensor:
    """Draw a permutation without fixed point, uniformly: about one permutation in e is one."""
    identity = torch.arange(num_classes, device=generator.device)
    while True:
        drawn = torch.randperm(num_classes, generator=generator, device=generator.device)
        if not (drawn == identity).any():
            return drawn
