"""Selective projected gradient descent, the attack of one who knows the guard."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least, per_sample
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls.norm_ball import l2, unit
from monai_advdefense.attacks.damage import damage
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.logits import check_gradient
from monai_advdefense.attacks.objectives import soft_dice
from monai_advdefense.attacks.prepared import prepared
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.messages import broken_rule

__all__ = ["selective_pgd"]


def selective_pgd(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    excess: Callable[[Tensor], Tensor],
    radius: Tensor | float,
    steps: int = 60,
    step_size: Tensor | float | None = None,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
    generator: torch.Generator | None = None,
) -> AttackResult:
    """Damage the segmentation behind a guard without being rejected by it (selective PGD).

    Each step of a sample does one of two things. While the guard rejects it, the step descends the most violated of
    the scores; while the guard accepts it, the step climbs the segmentation loss: it lowers the soft Dice of every
    class that has a targeted pixel (one within ``mask`` whose label is not 0, with ``include_background`` also one
    whose label is 0). The two are never summed. Steps have an L2 length of ``step_size``; then the sample is projected
    onto the L2 ball of ``radius`` around the original and clamped to ``bounds``.

    Returned is the earliest accepted iterate with the most flipped pixels, the clean image counted among the iterates;
    of a sample that is never accepted the iterate with the least excess. A sample without a targeted pixel stays as
    it is. The result of a sample does not depend on the others.

    ``network`` and, if it is a module or the method of one, ``excess`` are put in evaluation mode and left as they were
    found, gradients and statistics untouched; modules that another callable uses must be in evaluation mode. One step
    costs one forward pass of ``excess`` on all samples with a gradient if any of them is rejected, and one forward pass
    and gradient of ``network`` on the accepted ones.

    Args:
        network: differentiable map from images to the logits ``(B, K, *spatial)`` that an accepted image leads to: of
            a :class:`~monai_advdefense.guard.DefendedSegmenter` ``nn.Sequential(reformer, segmenter)``. The whole
            has no gradient where it rejects.
        image: images ``(B, C, *spatial)``, any number of spatial dimensions, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``.
        excess: differentiable map from images to ``(B, S)``: how far each of S scores of the guard lies above its
            threshold, in units in which they compare; ``(B,)`` for one score, such as
            :meth:`~monai_advdefense.guard.DefendedSegmenter.excess`. A sample is accepted where all
            are <= 0. Who wants a distance from the threshold adds it to the excess.
        radius: largest L2 norm of the perturbation in units of the image, one number or ``(B,)``; 0 is the identity.
            No norm is above it.
        steps: number of steps.
        step_size: L2 length of one step in units of the image, one number or ``(B,)``; ``radius / 10`` by default,
            as Bryniarski et al. take it.
        mask: ``(B or 1, 1 or C, *spatial)``, the perturbation lives only where it is true (not zero).
        bounds: lowest and highest value of an image, enforced after each step, or None.
        include_background: also attack pixels whose label is 0.
        activation: ``"softmax"``, or ``"sigmoid"`` for networks with one channel for each structure, one or more.
        logits_of: from what the network returns to the logits; None if it returns them.
        ignore_index: value of the label whose pixels do not count.
        generator: go from the clean image to a point drawn uniformly from the ball instead of taking the first step;
            None takes it.

    Returns:
        Attacked images and what was achieved on them. ``success``: accepted, and more targeted pixels are flipped than
        on the clean image. ``flipped`` is what ``network`` predicts on the returned image, accepted or not.

    Raises:
        InputError: if an argument does not fit the others, or logits, scores or gradients are not finite.

    Source:
        Bryniarski et al., "Evading Adversarial Example Detection Defenses with Orthogonal Projected Gradient Descent"
        (2021), section 4.1, there with the loss first and the detector once the class is wrong; here the guard comes
        first, because damage to a segmentation is never complete. That detectors fall to losses made for them: Carlini,
        Wagner, "Adversarial Examples Are Not Easily Detected" (AISec 2017).

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> label = torch.tensor([[0, 0]])
        >>> def excess(image):  # accepted while the first channel is as bright as it was
        ...     return 1.5 - image[:, 0].sum(1, keepdim=True)
        >>> found = selective_pgd(nn.Identity(), image, label, excess=excess, radius=0.3, include_background=True)
        >>> found.success, found.image.argmax(1), bool(excess(found.image) <= 0)
        (tensor([True]), tensor([[1, 0]]), True)
    """
    check_at_least("steps", steps, 1)
    with attacking(network, image) as forward, _frozen_guard(excess):
        ball, task = prepared(
            forward,
            image,
            label,
            budget=radius,
            ball=l2,
            mask=mask,
            bounds=bounds,
            include_background=include_background,
            activation=activation,
            logits_of=logits_of,
            ignore_index=ignore_index,
        )
        size = ball.reach("l2") / 10 if step_size is None else per_sample("step_size", step_size, ball.center)
        pixels = task.pixels

        moving = adversarial = ball.center
        clean = most = torch.full_like(pixels, -1)
        least = ball.center.new_full(pixels.shape, float("inf"))
        for step in range(steps + 1):
            worst, descent = _guard(excess, moving, differentiate=step < steps)
            accepted = worst <= 0
            # Behind a guard that rejects there is nothing to damage; the clean image is what success is measured by.
            seen = accepted | (step == 0)
            flipped, direction = torch.full_like(pixels, -1), -descent
            if seen.any():
                flipped[seen], ascent = damage(
                    task.select(seen), moving[seen], differentiate=step < steps, loss=soft_dice
                )
                direction[accepted] = ascent[accepted[seen]]
            clean = flipped if step == 0 else clean
            # Until a sample is accepted for the first time, `most` is -1 and the least excess counts.
            better = torch.where(accepted, flipped > most, (most < 0) & (worst < least))
            most = torch.where(accepted & better, flipped, most)
            least = torch.where(better, worst, least)
            adversarial = torch.where(better.view_as(size), moving, adversarial)
            if step == 0 and generator is not None:
                moving = ball.random_points(generator, 1)[0]
            elif step < steps:
                moving = ball.project(moving + size * unit(ball.within(direction)))

        success = most > clean
        rejected = most < 0
        if rejected.any():
            most[rejected], _ = damage(task.select(rejected), adversarial[rejected], differentiate=False)
        return AttackResult.counted(ball.center, adversarial, success=success, flipped=most, pixels=pixels, steps=steps)


def _guard(excess: Callable[[Tensor], Tensor], image: Tensor, *, differentiate: bool) -> tuple[Tensor, Tensor]:
    """Give the largest excess ``(B,)`` and, of the samples where it is above 0, its gradient by the image."""
    image = image.detach().requires_grad_(differentiate)
    scores = excess(image)
    if isinstance(scores, Tensor) and scores.ndim == 1:
        scores = scores.unsqueeze(1)
    _check_scores(scores, image)
    worst = scores.max(1).values
    violated = worst.detach() > 0
    if not differentiate or not violated.any():
        return worst.detach(), torch.zeros_like(image)
    if not worst.requires_grad:
        raise broken_rule("excess", "scores with a gradient by the image", "constants", "leave out detach and no_grad")
    # Accepted samples pass zeros here: leaving them out would take a second forward pass of the others.
    (gradient,) = torch.autograd.grad(worst[violated].sum(), image)
    gradient = torch.where(violated.view(-1, *[1] * (image.ndim - 1)), gradient, 0.0)
    check_gradient("excess", gradient)
    return worst.detach(), gradient


def _frozen_guard(excess: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    """Freeze a guard that is a module or the method of one."""
    guard = getattr(excess, "__self__", excess)
    return frozen(guard) if isinstance(guard, nn.Module) else nullcontext()


def _check_scores(scores: Tensor, image: Tensor) -> None:
    """Raise InputError unless the guard gives finite scores (B, S)."""
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != len(image) or not scores.shape[1]:
        found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        expected = f"scores (B,) or (B, S) for {len(image)} images"
        raise broken_rule("excess", expected, found, "give a function of a batch of images")
    if not torch.isfinite(scores).all():
        raise broken_rule("excess", "finite scores", "NaN or infinity", "calibrate the guard first")
