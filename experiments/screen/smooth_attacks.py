"""Attacks on the soft Dice by one who knows the segmenter alone: in a ball, by low frequencies, by a bias field."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_advdefense.attacks import frozen
from monai_advdefense.attacks.balls.norm_ball import ball_around, unit
from monai_advdefense.attacks.damage import damage
from monai_advdefense.attacks.objectives import soft_dice
from monai_advdefense.attacks.task import Outputs, Task, make_task

LOWEST = 12
"""Frequencies along each axis that the low-frequency attack may use."""
FIELD_LIMIT = 0.15
"""Largest logarithm of a bias field: factors .86 to 1.16."""
FIELD_ORDERS = 5
STEPS = 20


def soft_dice_pgd(
    network: nn.Module, image: Tensor, label: Tensor, *, radius: float, lowest: int | None = None
) -> Tensor:
    """Attack slices ``(B, 1, H, W)`` within an L2 ball, where they are above 0; by low frequencies only if asked."""
    with frozen(network), torch.enable_grad():
        ball = ball_around(image, radius, norm="l2", mask=image > 0, bounds=(0.0, 1.0))
        task = _task(network, image, label)
        moving, size = ball.center, ball.radius / 5
        for _ in range(STEPS):
            _, ascent = damage(task, moving, differentiate=True, loss=soft_dice)
            ascent = ascent if lowest is None else low_pass(ascent, lowest)
            moving = ball.project(moving + size * unit(ball.within(ascent)))
    return moving


def low_pass(image: Tensor, lowest: int) -> Tensor:
    """Keep the frequencies up to ``lowest`` periods along each of the last two axes."""
    kept = [(torch.fft.fftfreq(length) * length).abs() <= lowest for length in image.shape[-2:]]
    return torch.fft.ifft2(torch.fft.fft2(image) * (kept[0][:, None] & kept[1])).real


def bias_field_attack(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """Attack slices ``(B, 1, H, W)`` by a smooth factor: the exponential of few cosines, bounded."""
    axes = [_cosines(length) for length in image.shape[-2:]]
    basis = torch.einsum("ph,qw->pqhw", *axes).flatten(0, 1).to(image)
    targets = _task(network, image, label).targets
    weights = image.new_zeros(len(image), len(basis))
    with frozen(network), torch.enable_grad():
        for _ in range(STEPS):
            weights.requires_grad_()
            (ascent,) = torch.autograd.grad(
                soft_dice(network(_under_field(image, weights, basis)), targets).sum(), weights
            )
            peak = ascent.abs().amax(1, keepdim=True).clamp_min(1e-12)
            weights = (weights + FIELD_LIMIT * ascent / peak).detach()
    return _under_field(image, weights, basis)


def _task(network: nn.Module, image: Tensor, label: Tensor) -> Task:
    return make_task(network, image, label, mask=image > 0, include_background=False, outputs=Outputs())


def _under_field(image: Tensor, weights: Tensor, basis: Tensor) -> Tensor:
    field = torch.exp(FIELD_LIMIT * torch.tanh(torch.einsum("bk,khw->bhw", weights, basis)))
    return (image * field[:, None]).clamp(0, 1)


def _cosines(length: int) -> Tensor:
    """The slowest cosines ``(FIELD_ORDERS, length)`` of an axis."""
    places = (torch.arange(length) + 0.5) / length
    return torch.cos(math.pi * torch.arange(FIELD_ORDERS)[:, None] * places)
