"""One perturbation for all images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from monai_advdefense.attacks.arguments import check_at_least, check_image, check_mask, check_tensor
from monai_advdefense.attacks.attacking import without_mixing
from monai_advdefense.attacks.balls.norm_ball import NormBall, ball_around
from monai_advdefense.attacks.balls.parametric import ParametricBall
from monai_advdefense.attacks.composed import composed_attack
from monai_advdefense.attacks.logits import check_logits, output_of, picked_logits
from monai_advdefense.attacks.objectives import Objective, soft_dice
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.steps import apgd
from monai_advdefense.messages import broken_rule

__all__ = ["universal"]


def universal(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    budget: float,
    norm: str = "linf",
    objective: Objective = soft_dice,
    n_steps: int = 50,
    batch_size: int = 8,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    logits_of: Callable[[Any], Tensor] | None = None,
    **options: Any,
) -> AttackResult:
    """Find one perturbation that spoils the predictions on all images, such as all slices of a data set.

    What is stored is the output for all images and the activations of ``batch_size`` of them.

    Args:
        network: see :func:`~monai_advdefense.attacks.composed_attack`, as for the arguments that are not named here.
        image: images ``(B, C, *spatial)``.
        label: classes, such as ``(B, *spatial)``.
        budget: largest ``norm`` of the perturbation, in units of the image.
        norm: ``"linf"`` or ``"l2"``.
        objective: see :mod:`monai_advdefense.attacks.objectives`; structures are pooled over the images.
        n_steps: number of steps of Auto-PGD.
        batch_size: number of images that the network sees at once.
        mask: ``(B or 1, 1 or C, *spatial)``, true (not zero) where an image may change.
        bounds: lowest and highest value of an image, or None.
        logits_of: from what the network returns to the logits.
        options: further arguments of the composed attack.

    Returns:
        Attacked images ``(B, C, *spatial)``, whose ``parameters`` are the perturbation ``(1, C, *spatial)``. Success,
        flipped pixels and iterations ``(1,)`` are those of all images together; ``norm`` ``(B,)`` is that of each.

    Raises:
        InputError: if an argument does not fit the others.

    Source:
        Moosavi-Dezfooli et al., "Universal Adversarial Perturbations" (CVPR 2017), here by ascent on all images.

    Example:
        >>> network = nn.Conv2d(1, 2, 1)
        >>> found = universal(network, torch.rand(5, 1, 4, 4), torch.ones(5, 4, 4, dtype=torch.long), budget=0.1)
        >>> found.image.shape, found.parameters.shape
        (torch.Size([5, 1, 4, 4]), torch.Size([1, 1, 4, 4]))
    """
    check_at_least("batch_size", batch_size, 1)
    check_image(image)
    check_mask(mask, image)
    check_tensor("label", label)
    if not len(image):
        raise broken_rule("image", "one image or more", "an empty batch", "leave the call out")
    found = composed_attack(
        _Stacked(network, logits_of, batch_size),
        _stacked(image),
        _stacked(label) if label.ndim == image.ndim else label.unsqueeze(0),
        budget=budget,
        ball=partial(_shared, norm=norm),
        objective=objective,
        step=partial(apgd, norm=norm),
        n_steps=n_steps,
        mask=None if mask is None else _stacked(mask.expand(len(image), *mask.shape[1:])),
        bounds=bounds,
        **options,
    )
    attacked = found.image[0].movedim(1, 0)
    change = torch.linalg.vector_norm((attacked - image.detach()).flatten(1), dim=1)
    return replace(found, image=attacked, norm=change.as_subclass(Tensor))


def _stacked(batch: Tensor) -> Tensor:
    """A batch ``(B, C, *spatial)`` as one sample ``(1, C, B, *spatial)``."""
    return batch.as_subclass(Tensor).movedim(0, 1).unsqueeze(0)


class _Stacked(nn.Module):
    """A network on ``(1, C, B, *spatial)``, part by part; what is inside of a part is computed anew for gradients."""

    def __init__(self, network: nn.Module, logits_of: Callable[[Any], Tensor] | None, batch_size: int) -> None:
        super().__init__()
        self.network = network
        self.logits_of = logits_of
        self.batch_size = batch_size

    def forward(self, image: Tensor) -> Tensor:
        parts = image[0].movedim(1, 0).split(self.batch_size)
        return _stacked(torch.cat([checkpoint(self._logits, part, use_reentrant=False) for part in parts]))

    def _logits(self, part: Tensor) -> Tensor:
        logits = picked_logits(output_of(without_mixing(self.network), part), self.logits_of)
        check_logits(logits, part)
        return logits


@dataclass(frozen=True)
class _Shared(ParametricBall):
    """Images ``(1, C, B, *spatial)`` that all differ from the center by the same ``(1, C, *spatial)``."""

    shared: NormBall

    def start(self) -> Tensor:
        return self.shared.center

    def made(self, parameters: Tensor) -> Tensor:
        return self.center + parameters.unsqueeze(2)

    def project(self, parameters: Tensor) -> Tensor:
        return self.shared.project(parameters)

    def reach(self, norm: str) -> Tensor:
        return self.shared.reach(norm)

    def shrink_to_center(self, chosen: Tensor) -> Self:
        return replace(super().shrink_to_center(chosen), shared=self.shared.shrink_to_center(chosen))


def _shared(
    image: Tensor,
    budget: Tensor | float,
    *,
    mask: Tensor | None = None,
    bounds: tuple[float, float] | None = None,
    norm: str = "linf",
) -> _Shared:
    """The ball of one perturbation around images ``(1, C, B, *spatial)``."""
    one = ball_around(torch.zeros_like(image[:, :, 0]), budget, norm=norm, mask=None, bounds=None)
    # Each image has the budget.
    whole = budget * image.shape[2] ** 0.5 if norm == "l2" else budget
    return _Shared(ball_around(image, whole, norm=norm, mask=mask, bounds=bounds), one)
