"""Steps of Auto-PGD: they halve where they no longer help, and go on from the best point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monai_advdefense.attacks.balls import Ball
from monai_advdefense.attacks.steps.momentum import direction
from monai_advdefense.attacks.steps.step import Here

__all__ = ["apgd", "checkpoints"]

_INERTIA = 0.75
_SHARE_OF_RISES = 0.75


@dataclass(frozen=True)
class _Memory:
    """What Auto-PGD keeps of a walk, per image."""

    before: Tensor
    loss: Tensor
    size: Tensor
    best: Here
    rises: Tensor
    halved: Tensor
    best_loss_then: Tensor


def apgd(here: Here, ball: Ball, memory: _Memory | None = None, *, norm: str = "linf") -> tuple[Tensor, _Memory]:
    """Step of Auto-PGD, whose size starts at twice the way to the surface; arguments as of :class:`Step`.

    Source:
        Croce, Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks"
        (ICML 2020), algorithm 1.
    """
    if memory is None:
        memory = _begin(here, ball, norm)
    else:
        memory = _seen(memory, here)
        if here.index in checkpoints(here.n_steps):
            here, memory = _judged(memory, here)
    ahead = ball.project(here.point + memory.size * direction(here.gradient, norm))
    # The first step has no way behind it that it could go on with.
    inertia = 1.0 if here.index == 0 else _INERTIA
    moved = here.point + inertia * (ahead - here.point) + (1 - inertia) * (here.point - memory.before)
    return ball.project(moved), replace(memory, before=here.point)


def checkpoints(n_steps: int) -> list[int]:
    """Numbers of steps after which the size is judged.

    Example:
        >>> checkpoints(100)[:5]
        [22, 41, 57, 70, 80]
    """
    shares, spacing = [0.0], 0.22
    while shares[-1] < 1:
        shares.append(shares[-1] + spacing)
        spacing = max(spacing - 0.03, 0.06)
    # Rounded up, but for what the sum of decimals is off by.
    return [-int(-(share * n_steps - 1e-9) // 1) for share in shares[1:] if share <= 1]


def _begin(here: Here, ball: Ball, norm: str) -> _Memory:
    none = torch.zeros_like(here.loss, dtype=torch.int64)
    # That nothing was halved yet must not count as a size that stayed the same since the last checkpoint.
    return _Memory(here.point, here.loss, 2 * ball.reach(norm), here, none, none > -1, here.loss)


def _seen(memory: _Memory, here: Here) -> _Memory:
    """Count a rise of the loss, and keep the best point."""
    rises = memory.rises + (here.loss > memory.loss)
    better = here.loss > memory.best.loss
    best = _chosen(better, here, memory.best)
    return replace(memory, loss=here.loss, rises=rises, best=best)


def _judged(memory: _Memory, here: Here) -> tuple[Here, _Memory]:
    """Halve the size of images that rose too rarely, or whose best loss has stayed; they go on from the best point."""
    places = [0, *checkpoints(here.n_steps)]
    interval = here.index - places[places.index(here.index) - 1]
    stuck = ~memory.halved & (memory.best.loss <= memory.best_loss_then)
    halve = (memory.rises < _SHARE_OF_RISES * interval) | stuck
    size = torch.where(halve.view_as(memory.size), memory.size / 2, memory.size)
    memory = replace(
        memory, size=size, rises=torch.zeros_like(memory.rises), halved=halve, best_loss_then=memory.best.loss
    )
    return _chosen(halve, memory.best, here), memory


def _chosen(where: Tensor, first: Here, second: Here) -> Here:
    """The first of two places where ``(B,)`` is true."""
    wide = where.view(-1, *[1] * (first.point.ndim - 1))
    return Here(
        torch.where(wide, first.point, second.point),
        torch.where(where, first.loss, second.loss),
        torch.where(wide, first.gradient, second.gradient),
        second.index,
        second.n_steps,
    )
