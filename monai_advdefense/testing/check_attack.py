"""What must hold for every attack with a budget."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_choice
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.balls.norm_ball import NORMS
from monai_advdefense.testing.failure import fail, require_close, untouched

__all__ = ["check_attack"]

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_BOUNDS = (0.0, 1.0)
_BATCH = 8


def check_attack(
    attack: Attack, *, norm: str = "linf", spatial_dims: int = 2, near_optimum: bool = True, **options: Any
) -> None:
    """Check an attack on small networks: ball and bounds, network untouched, batches, budgets, closed form.

    - No change is larger than the budget in ``norm``, no value is outside of the bounds, and nothing changes outside of
      the mask.
    - The network has its weights, statistics, modes and gradients as before.
    - A batch of eight gives what eight batches of one give.
    - Budget 0 gives the image.
    - The share of flipped pixels does not fall with the budget, and rises over all.
    - With 1.25 times the smallest budget that flips every pixel of a linear network, all pixels are flipped.

    Args:
        attack: called as :func:`~monai_advdefense.attacks.composed_attack` is, with ``budget``, ``mask``, ``bounds``
            and ``include_background``; wrap others in a function.
        norm: ``"linf"`` or ``"l2"``, of the budget.
        spatial_dims: 1, 2 or 3.
        near_optimum: check the closed form too; attacks that may not change single pixels cannot hold it.
        options: further arguments of the attack.

    Raises:
        CheckFailedError: the first of them that does not hold, on one line.

    Example:
        >>> from monai_advdefense.attacks import composed_attack
        >>> check_attack(composed_attack, norm="linf")
    """
    check_choice("norm", norm, NORMS)
    network, image, label = _case(spatial_dims)
    budget = 0.08 if norm == "linf" else 0.02 * image[0].numel() ** 0.5
    with untouched("attack", network):
        found = attack(network, image, label, budget=budget, bounds=_BOUNDS, **options).image
    _check_ball(image, found, budget, norm)
    _check_mask(attack, network, image, label, budget, options)
    alone = [
        attack(network, image[i : i + 1], label[i : i + 1], budget=budget, bounds=_BOUNDS, **options).image
        for i in range(_BATCH)
    ]
    what, remedy = "a batch of 8 to be 8 batches of 1", "take norms, sums and stops for each image"
    require_close("attack", torch.cat(alone), found, tolerance=1e-4, what=what, remedy=remedy)
    still = attack(network, image, label, budget=0.0, bounds=_BOUNDS, **options).image
    require_close("attack", still, image, tolerance=0.0, what="the image for budget 0", remedy="project onto the ball")
    _check_budgets(attack, network, image, label, budget, options)
    if near_optimum:
        _check_optimum(attack, spatial_dims, norm, options)


def _case(spatial_dims: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A small network with normalization and dropout in training mode, and images with its own prediction."""
    generator = torch.Generator().manual_seed(0)
    convolution = _CONVOLUTIONS[spatial_dims]
    network = nn.Sequential(
        convolution(1, 6, 3, padding=1), _NORMS[spatial_dims](6), nn.Tanh(), nn.Dropout(0.5), convolution(6, 3, 1)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    image = torch.rand(_BATCH, 1, *[9] * spatial_dims, generator=generator)
    with torch.no_grad():
        logits = network.eval()(image)
        # Classes of equal mean leave many pixels near a boundary.
        mean = logits.transpose(0, 1).flatten(1).mean(1)
        network[-1].bias -= mean
        label = network(image).argmax(1)
    return network.train(), image, label


def _size(change: Tensor, norm: str) -> Tensor:
    return torch.linalg.vector_norm(change.flatten(1), ord=2 if norm == "l2" else torch.inf, dim=1)


def _check_ball(image: Tensor, found: Tensor, budget: float, norm: str) -> None:
    if found.shape != image.shape or not found.isfinite().all():
        raise fail("attack", f"finite images {tuple(image.shape)}", tuple(found.shape), "return the attacked images")
    largest = float(_size(found - image, norm).max())
    if largest > budget * (1 + 1e-5):
        raise fail("attack", f"a change of {budget:.3g} at most in {norm}", f"{largest:.3g}", "project onto the ball")
    if found.min() < _BOUNDS[0] or found.max() > _BOUNDS[1]:
        extent = f"[{float(found.min()):.3g}, {float(found.max()):.3g}]"
        raise fail("attack", f"values within bounds {_BOUNDS}", extent, "clamp to the bounds")


def _check_mask(
    attack: Attack, network: nn.Module, image: Tensor, label: Tensor, budget: float, options: dict[str, Any]
) -> None:
    mask = torch.zeros_like(image[:1], dtype=torch.bool)
    mask[..., : image.shape[-1] // 2] = True
    found = attack(network, image, label, budget=budget, mask=mask, bounds=_BOUNDS, **options).image
    outside = ((found != image) & ~mask).any()
    if outside:
        raise fail("attack", "no change outside of the mask", "one", "zero the gradient where the mask is false")


def _check_budgets(
    attack: Attack, network: nn.Module, image: Tensor, label: Tensor, budget: float, options: dict[str, Any]
) -> None:
    """Mean share of flipped pixels, measured here, for budgets that double."""
    evaluated, shares = network.eval(), []
    for factor in (0.0, 0.25, 1.0, 4.0):
        found = attack(network, image, label, budget=factor * budget, bounds=_BOUNDS, **options).image
        with torch.no_grad():
            shares.append(float((evaluated(found).argmax(1) != label)[label > 0].double().mean()))
    network.train()
    if any(second < first - 0.02 for first, second in zip(shares, shares[1:], strict=False)) or shares[-1] <= 0:
        text = ", ".join(f"{share:.3f}" for share in shares)
        raise fail("attack", "more flipped pixels with a larger budget", text, "return the best point visited")


def _check_optimum(attack: Attack, spatial_dims: int, norm: str, options: dict[str, Any]) -> None:
    """Two classes by one weight: the least change of a pixel is its margin over the weight."""
    network = _CONVOLUTIONS[spatial_dims](1, 2, 1)
    with torch.no_grad():
        network.weight.view(-1).copy_(torch.tensor([1.0, -1.0]))
        network.bias.view(-1).copy_(torch.tensor([-0.5, 0.5]))  # type: ignore[union-attr]
    image = 0.5 + 0.05 * (1 + torch.rand(2, 1, *[5] * spatial_dims, generator=torch.Generator().manual_seed(1)))
    label = torch.zeros(2, *[5] * spatial_dims, dtype=torch.long)
    budget = 1.25 * _size(image - 0.5, norm)
    options = {"include_background": True, "bounds": _BOUNDS, **options}
    found = attack(network, image, label, budget=budget, **options).image
    with torch.no_grad():
        flipped = float((network(found).argmax(1) != label).double().mean())
    if flipped < 1:
        expected = "all pixels of a linear network flipped with 1.25 times the smallest budget"
        raise fail("attack", expected, f"{100 * flipped:.1f} %", "take more steps, or smaller ones towards the end")
