"""Square attack: random search on the scores, for networks without gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, check_start
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls import NormBall, linf
from monai_advdefense.attacks.climb import Reached, better_of
from monai_advdefense.attacks.objectives import Objective, structure_margin
from monai_advdefense.attacks.prepared import prepared
from monai_advdefense.attacks.quality import Quality, quality_of
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.targeted_pixels import flipped_pixels
from monai_advdefense.attacks.task import Task

__all__ = ["square", "square_side"]

_FIRST_SHARE = 0.8
_HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


def square(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    budget: Tensor | float,
    n_queries: int = 500,
    objective: Objective = structure_margin,
    quality: Quality | None = None,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
    **options: Any,
) -> AttackResult:
    """Change squares of pixels by the whole budget, up or down, wherever that raises the objective.

    It needs logits but no gradient: where it does better than attacks with gradients, the gradients say nothing. Each
    image draws from a generator of its own, seeded in order from ``generator``.

    Args:
        network: map from images to logits, see :func:`~monai_advdefense.attacks.composed_attack`, as for ``options``.
        image: images ``(B, C, *spatial)``.
        label: classes, such as ``(B, *spatial)``.
        budget: largest change of a pixel in units of the image, one number or ``(B,)``.
        n_queries: changes that the network is asked about for each image, at least 1; it is asked about the image too.
        objective: loss that is to rise, see :mod:`monai_advdefense.attacks.objectives`.
        quality: what is to become low.
        start: images ``(B, C, *spatial)`` to begin from instead of stripes.
        generator: source of the draws; None is one with the seed 0 for each image.
        options: ``mask``, ``bounds``, ``include_background``, ``activation``, ``logits_of`` and ``ignore_index``.

    Returns:
        Attacked images; ``iterations`` are the queries.

    Raises:
        InputError: if an argument does not fit the others, or logits are not finite.

    Source:
        Andriushchenko et al., "Square Attack: a query-efficient black-box adversarial attack via random search" (ECCV
        2020), algorithms 1 and 2; squares are cubes in volumes.

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> found = square(nn.Identity(), image, torch.tensor([[0, 0]]), budget=0.5, include_background=True)
        >>> found.success, bool(found.iterations < 500)
        (tensor([True]), True)
    """
    check_at_least("n_queries", n_queries, 1)
    with attacking(network, image) as forward, torch.no_grad():
        ball, task = prepared(forward, image, label, budget=budget, ball=linf, **options)
        assert isinstance(ball, NormBall)  # noqa: S101
        draws = _generators(generator, len(ball.center))
        reached = _search(task, ball, start, objective, quality, draws, n_queries)
        return AttackResult.of_climb(ball, reached, task.pixels)


def square_side(query: int, n_queries: int, spatial: tuple[int, ...]) -> int:
    """Side of the square of a query: less and less of the image, by the schedule of the paper.

    Example:
        >>> [square_side(query, 10_000, (100, 100)) for query in (0, 100, 1000, 9000)]
        [89, 45, 22, 4]
    """
    halvings = sum(query > share * n_queries for share in _HALVINGS)
    pixels = torch.Size(spatial).numel()
    side = round((_FIRST_SHARE / 2**halvings * pixels) ** (1 / len(spatial)))
    return max(1, min(side, *spatial))


def _generators(generator: torch.Generator | None, count: int) -> list[torch.Generator]:
    """One generator for each image: a batch draws what its images draw in turn."""
    if generator is None:
        return [torch.Generator().manual_seed(0) for _ in range(count)]
    seeds = torch.randint(2**62, (count,), generator=generator, device=generator.device).tolist()
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def _search(
    task: Task,
    ball: NormBall,
    start: Tensor | None,
    objective: Objective,
    quality: Quality | None,
    draws: list[torch.Generator],
    n_queries: int,
) -> Reached:
    """Ask about the image, then about one change after the other; a change stays if it raises the objective."""
    point = ball.center
    check_start(start, point)
    loss, reached = _asked(task, ball, point, objective, quality, 0)
    for query in range(1, n_queries + 1):
        if not (reached.quality > 0).any():
            break
        if query > 1:
            candidate = _with_square(point, ball, draws, query, n_queries)
        else:
            candidate = _stripes(ball, draws) if start is None else ball.project(start.to(point))
        found_loss, found = _asked(task, ball, candidate, objective, quality, query)
        # The first one is taken in any case: it is at the surface, where squares are to be found.
        higher = (found_loss > loss) | (query == 1)
        point = torch.where(higher.view_as(ball.radius), candidate, point)
        loss = torch.where(higher, found_loss, loss)
        open_still = reached.quality > 0
        steps = torch.where(open_still, query, reached.iterations)
        reached = replace(better_of(reached, found), iterations=steps)
    return reached


def _asked(
    task: Task, ball: NormBall, point: Tensor, objective: Objective, quality: Quality | None, query: int
) -> tuple[Tensor, Reached]:
    logits = task.logits(point)
    flipped = task.of_images(flipped_pixels(logits, task.targets))
    value = quality_of(task, logits, quality)
    moved = (point != ball.center).flatten(1).any(1)
    loss = task.of_images(objective(logits, task.targets))
    return loss, Reached(point, value, flipped, torch.full_like(flipped, query), value, moved)


def _stripes(ball: NormBall, draws: list[torch.Generator]) -> Tensor:
    """Stripes along the first spatial axis, each up or down by the budget."""
    shape = (ball.center.shape[1], 1, *ball.center.shape[3:])
    signs = torch.stack([_signs(shape, generator, ball.center) for generator in draws])
    return ball.project(ball.center + ball.within((ball.radius * signs).expand_as(ball.center)))


def _with_square(point: Tensor, ball: NormBall, draws: list[torch.Generator], query: int, n_queries: int) -> Tensor:
    """Each image with one square more that is up or down by the budget, channel by channel."""
    spatial = tuple(point.shape[2:])
    side = square_side(query, n_queries, spatial)
    candidates = point - ball.center
    for sample, generator in enumerate(draws):
        inside = candidates[sample]
        for axis, length in enumerate(spatial, start=1):
            inside = inside.narrow(axis, int(torch.randint(length - side + 1, (), generator=generator)), side)
        signs = _signs((point.shape[1], *[1] * len(spatial)), generator, point)
        inside.copy_((ball.radius[sample] * signs).expand_as(inside))
    return ball.project(ball.center + ball.within(candidates))


def _signs(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return (2 * torch.randint(2, shape, generator=generator) - 1).to(like)
