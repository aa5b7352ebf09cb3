"""Dense adversary generation (DAG), the attack of the paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import (
    check_at_least,
    check_bounds,
    check_choice,
    check_image,
    check_mask,
    check_positive,
)
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.balls.norm_ball import NORMS, unit
from monai_advdefense.attacks.logits import check_classes, check_gradient, predicted_as
from monai_advdefense.attacks.no_effect import warn_of_empty_mask, warn_of_no_effect
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.targeted_pixels import NOT_TARGETED
from monai_advdefense.attacks.task import Outputs, Task, class_rows, make_task
from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.decoded_in_box import Box, can_decode_in_box, decoded_in_box, part_in

__all__ = ["dag", "step_size_for"]

STOPS = ("all_flipped", "never")
RESULTS = ("best", "last")


def step_size_for(side: int) -> float:
    """Give the paper's L2 step size, 0.5 on images of 256 x 256 in [0, 1], for square images of another side.

    Example:
        >>> step_size_for(192)
        0.375
    """
    return 0.5 * side / 256


def dag(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    target: Tensor,
    step_size: float,
    steps: int = 20,
    norm: str = "l2",
    target_term: bool = False,
    include_background: bool = False,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    stop: str = "never",
    stop_share: float = 1.0,
    result: str = "last",
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
) -> AttackResult:
    """Push every targeted pixel away from its label until none is predicted as its label (DAG).

    The targeted pixels of a sample are those whose ``target`` differs from ``label``; with ``include_background``
    false only those whose label is not 0. Each step takes the targeted pixels T that are still predicted as their
    label (a tie of logits counts as predicted), forms r, the gradient of the sum over T of ``f_target - f_label`` (or
    of ``-f_label``) with respect to the image, f being the logits, and adds ``step_size * r / ||r||``, the norm taken
    per sample. A sample whose r is zero does not move. The result of a sample does not depend on the others.

    The defaults are the runs of Park et al. 2020: L2 steps, target logit masked, so that ``target`` only says which
    pixels are pushed, 20 steps, last iterate, with ``step_size=step_size_for(side)``. Algorithm 1 of Xie et al. 2017
    is ``norm="linf", step_size=0.5 / 255, steps=200, target_term=True, include_background=True, bounds=None,
    stop="all_flipped", result="best"``.

    The network is put in evaluation mode and left as it was found, its gradients and statistics untouched. One step
    costs one forward pass and one gradient of the image; the end costs one more forward pass. Batch normalization
    costs less in ``accelerated(network)``, see :func:`~monai_advdefense.attacks.accelerated`.

    Args:
        network: differentiable map from images to logits ``(B, K, *spatial)``, or to what ``logits_of`` picks them of.
        image: images ``(B, C, *spatial)``, any number of spatial dimensions, on the device of the network.
        label: true or predicted classes ``(B, *spatial)``; for a sigmoid of several structures ``(B, L, *spatial)``.
        target: classes to ask for, in the shape of the label, see :mod:`monai_advdefense.attacks.targets`.
        step_size: length of one step in ``norm``, in units of the image.
        steps: number of steps.
        norm: ``"l2"`` or ``"linf"``.
        target_term: add the logit of the target to the objective, as Xie et al. do.
        include_background: also push pixels whose label is 0.
        mask: ``(B or 1, 1 or C, *spatial)``, the perturbation lives only where it is true (not zero).
        bounds: lowest and highest value of an image, enforced after each step, or None.
        stop: ``"all_flipped"`` lets a sample leave the batch once no targeted pixel is predicted as its label;
            ``"never"`` takes exactly ``steps`` steps (of such a sample all later ones are zero).
        stop_share: share of its targeted pixels that is enough for ``"all_flipped"``.
        result: ``"best"`` returns the earliest iterate with the most flipped pixels, the clean image counted among
            them; ``"last"`` the last one.
        activation: ``"softmax"``, or ``"sigmoid"`` for networks with one channel for each structure, one or more.
        logits_of: from what the network returns to the logits; None if it returns them.
        ignore_index: value of the label whose pixels do not count.

    Returns:
        Attacked images and what was achieved on them.

    Raises:
        InputError: if an argument does not fit the others, or logits or gradients are not finite.

    Example:
        >>> image = torch.tensor([[[0.6, 0.9], [0.4, 0.1]]])  # (B, C, W), its own logits
        >>> label = torch.tensor([[0, 0]])
        >>> found = dag(nn.Identity(), image, label, target=1 - label, step_size=0.5, steps=2, include_background=True)
        >>> found.image
        tensor([[[0.2464, 0.0464],
                 [0.4000, 0.1000]]])
        >>> found.success
        tensor([True])
    """
    _check_options(step_size, steps, norm, stop, stop_share, result)
    check_image(image)
    image = image.detach().as_subclass(Tensor)
    check_bounds(bounds, image)
    check_mask(mask, image)
    outputs = Outputs(activation, logits_of, ignore_index)
    with attacking(network, image) as forward:
        batch = _start(forward, image, label, target, mask, include_background, outputs)
        pixels = batch.task.pixels
        adversarial, iterations = batch.image.clone(), torch.zeros_like(pixels)
        # How many targeted pixels of `adversarial` keep their label; worse than any iterate before the first one.
        remaining, clean = pixels + 1, torch.zeros_like(pixels)
        # A sample without a targeted pixel has no direction to move in: it does not enter the batch.
        batch = batch.select(pixels > 0)
        # What lies outside of the box of the targeted pixels is checked as well.
        labels, targets = batch.task.label, batch.target
        batch = batch.cropped(network)
        direction: Tensor | None = None
        for step in range(steps + 1):
            if not len(batch.index):
                break
            logits = batch.task.logits(batch.image.requires_grad_(step < steps))
            if step == 0:
                check_classes("label", labels, logits)
            if step == 0 and target_term:
                check_classes("target", targets, logits)
            active = batch.still_label(logits.detach())
            left = batch.task.of_images(active.flatten(1).sum(1))
            if step == 0:
                clean[batch.index] = left
            record = (left < remaining[batch.index]) | (result == "last")
            remaining[batch.index[record]] = left[record]
            adversarial[batch.index[record]] = batch.image.detach()[record]
            flipped = pixels[batch.index] - left
            going_on = (flipped < stop_share * pixels[batch.index].double()) | (stop == "never")
            if step == steps or not going_on.any():
                break
            if direction is None:
                # Scattering costs several times the product with what is still active.
                direction = batch.direction(logits, target_term)
            gradient = batch.gradient(logits, direction * active)
            moved = batch.image.detach() + step_size * unit(gradient, norm)
            # The next pass is faster and peaks lower in memory when it can take the place of these.
            del logits
            batch = replace(batch, image=moved if bounds is None else moved.clamp(*bounds))
            if not going_on.all():
                batch, direction = batch.select(going_on), None
            iterations[batch.index] += 1

    change = adversarial - image
    pixel = step_size * steps / (1 if norm == "linf" else math.prod(image.shape[1:]) ** 0.5)
    warn_of_no_effect(
        image,
        size=torch.full_like(clean, pixel, dtype=image.dtype),
        gained=remaining < clean,
        # Of the best iterate it is not known where the others were.
        moved=(change != 0).flatten(1).any(1) | (result == "best"),
        tried=clean > 0,
    )
    return AttackResult(
        image=adversarial,
        success=remaining == 0,
        flipped=1 - remaining / pixels.clamp_min(1),
        iterations=iterations,
        norm=torch.linalg.vector_norm(change.flatten(1), dim=1),
    )


@dataclass(frozen=True)
class _Batch:
    """The samples still under attack: their places in the caller's batch and what belongs to each, R rows of labels."""

    index: Tensor
    image: Tensor
    task: Task
    target: Tensor
    mask: Tensor | None

    def select(self, keep: Tensor) -> _Batch:
        """Keep the samples where ``keep`` is true."""
        return _Batch(
            index=self.index[keep],
            image=self.image[keep],
            task=self.task.select(keep),
            target=self.target[keep.repeat_interleave(self.task.rows)],
            mask=self.mask if self.mask is None or len(self.mask) == 1 else self.mask[keep],
        )

    def cropped(self, network: nn.Module) -> _Batch:
        """Leave out what lies around all targeted pixels, if the network can."""
        whole = self.task.outputs.logits_of is None and self.task.network is network
        if not (whole and len(self.index) and can_decode_in_box(network, self.image)):
            return self
        box = _box_of(self.task.targets != NOT_TARGETED)
        cut = partial(part_in, box)
        task = replace(
            self.task,
            network=partial(decoded_in_box, network, box=box),
            label=cut(self.task.label),
            targets=cut(self.task.targets),
            ignored=None if self.task.ignored is None else cut(self.task.ignored),
            box=box,
        )
        return replace(self, task=task, target=cut(self.target))

    def still_label(self, logits: Tensor) -> Tensor:
        """Tell which targeted pixels ``(R, 1, *spatial)`` are predicted as their label."""
        targeted = (self.task.targets != NOT_TARGETED).unsqueeze(1)
        return targeted & predicted_as(logits, self.task.label.unsqueeze(1))

    def direction(self, logits: Tensor, target_term: bool) -> Tensor:
        """Give the derivative of the objective of every pixel with respect to ``logits``, as large as they are."""
        known = torch.zeros_like(logits).scatter_(1, self.task.label.unsqueeze(1), -1.0)
        # A pixel where target == label is never active, so overwriting is right.
        return known.scatter_(1, self.target.unsqueeze(1), 1.0) if target_term else known

    def gradient(self, logits: Tensor, cotangent: Tensor) -> Tensor:
        """Give the gradient with respect to the image, within the mask, for one with respect to the logits."""
        (gradient,) = torch.autograd.grad(logits, self.image, cotangent)
        check_gradient("network", gradient)
        return gradient if self.mask is None else torch.where(self.mask, gradient, 0.0)


def _box_of(chosen: Tensor) -> Box:
    """The smallest box around all that is true in ``(R, *spatial)``."""
    places = chosen.any(0).nonzero()
    return tuple(map(slice, places.amin(0).tolist(), (places.amax(0) + 1).tolist()))


def _start(
    forward: Callable[[Tensor], Any],
    image: Tensor,
    label: Tensor,
    target: Tensor,
    mask: Tensor | None,
    include_background: bool,
    outputs: Outputs,
) -> _Batch:
    """Gather what the attack works on, with nothing shared with the caller."""
    task = make_task(forward, image, label, mask=None, include_background=include_background, outputs=outputs)
    wanted = class_rows("target", target, image, outputs)[0].flatten(0, 1)
    task = replace(task, targets=task.targets.masked_fill(wanted == task.label, NOT_TARGETED))
    allowed = None if mask is None else mask.as_subclass(Tensor).bool().clone()
    if allowed is not None:
        warn_of_empty_mask(allowed, (task.targets != NOT_TARGETED).unflatten(0, (len(image), task.rows)))
    return _Batch(torch.arange(len(image), device=image.device), image.clone(), task, wanted, allowed)


def _check_options(step_size: float, steps: int, norm: str, stop: str, stop_share: float, result: str) -> None:
    """Raise InputError for an option that is out of range or unknown."""
    check_positive("step_size", step_size, zero=True)
    check_at_least("steps", steps, 1)
    check_choice("norm", norm, NORMS)
    check_choice("stop", stop, STOPS)
    if not 0 < stop_share <= 1:
        raise broken_rule(
            "stop_share", "a number above 0, at most 1", stop_share, "give a share of the targeted pixels"
        )
    check_choice("result", result, RESULTS)
