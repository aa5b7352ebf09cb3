"""The worst of several attacks, image by image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_bounds, check_image, check_mask
from monai_advdefense.attacks.attack import Attack
from monai_advdefense.attacks.attacking import attacking
from monai_advdefense.attacks.logits import highest_logits
from monai_advdefense.attacks.quality import Quality, mean_dice, quality_of
from monai_advdefense.attacks.task import Outputs, make_task
from monai_advdefense.messages import broken_rule

__all__ = ["WorstCase", "measured_quality", "worst_case", "worst_of"]

CLEAN = "clean"
_OF_THE_TASK = {"mask", "include_background", "activation", "logits_of", "ignore_index"}
"""Options of attacks that say what is attacked; the others say how."""


@dataclass(frozen=True, eq=False)
class WorstCase:
    """The worst that several attacks achieve, for each of ``B`` images.

    Attributes:
        image: the attacked images ``(B, C, *spatial)`` with the lowest quality.
        quality: theirs ``(B,)``; not above that of any attack.
        attack: names of the attacks that made them, ``"clean"`` where none lowers the quality.
        qualities: quality ``(B,)`` under each attack by its name, ``"clean"`` the first.
    """

    image: Tensor
    quality: Tensor
    attack: list[str]
    qualities: dict[str, Tensor]


def worst_case(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    attacks: Mapping[str, Attack],
    budget: Tensor | float,
    quality: Quality = mean_dice,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    **options: Any,
) -> WorstCase:
    """Run all attacks with the same budget and keep, for each image, the worst.

    Args:
        network: see :func:`~monai_advdefense.attacks.composed_attack`, as for ``image``, ``label`` and ``options``.
        image: images ``(B, C, *spatial)``.
        label: classes, such as ``(B, *spatial)``.
        attacks: by name; :func:`~monai_advdefense.attacks.standard_attacks` gives a list.
        budget: size of the balls in units of the image, one number or ``(B,)``.
        quality: what is measured, and what the attacks lower.
        bounds: lowest and highest value of an image, or None.
        options: further arguments of all attacks.

    Raises:
        InputError: if there is no attack, or as of the attacks.

    Source:
        Croce, Singh, Hein, "Towards Reliable Evaluation and Fast Training of Robust Semantic Segmentation Models"
        (ECCV 2024), section 3.4: the worst of several losses, there by batches of one image.
    """
    if not attacks or CLEAN in attacks:
        expected = f'one attack or more, none with the name "{CLEAN}"'
        raise broken_rule("attacks", expected, list(attacks), "give standard_attacks()")
    shared: dict[str, Any] = {"bounds": bounds, "quality": quality}
    options |= shared
    images = {name: attack(network, image, label, budget=budget, **options).image for name, attack in attacks.items()}
    shared |= {name: value for name, value in options.items() if name in _OF_THE_TASK}
    return worst_of(network, image, label, attacked=images, **shared)


def worst_of(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    attacked: Mapping[str, Tensor],
    quality: Quality = mean_dice,
    **options: Any,
) -> WorstCase:
    """Measure attacked images ``(B, C, *spatial)``, by name, and keep the worst of each; see :func:`worst_case`."""
    images = {CLEAN: image, **attacked}
    qualities = {
        name: measured_quality(network, each, label, quality=quality, **options) for name, each in images.items()
    }
    lowest, place = torch.stack(list(qualities.values())).min(0)
    # Of attacks that are alike the first one counts, and the clean image before all of them.
    first = (torch.stack(list(qualities.values())) == lowest).int().argmax(0)
    names = list(images)
    worst = image.detach().as_subclass(Tensor).clone()
    for sample, index in enumerate(first.tolist()):
        worst[sample] = images[names[index]][sample]
    return WorstCase(worst, lowest, [names[index] for index in first.tolist()], qualities)


def measured_quality(
    network: nn.Module,
    image: Tensor,
    label: Tensor,
    *,
    quality: Quality = mean_dice,
    bounds: tuple[float, float] | None = None,
    mask: Tensor | None = None,
    include_background: bool = False,
    activation: str = "softmax",
    logits_of: Callable[[Any], Tensor] | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """Quality ``(B,)`` of what a network predicts on images ``(B, C, *spatial)``; arguments as of the attacks."""
    check_image(image)
    image = image.detach().as_subclass(Tensor)
    check_bounds(bounds, image)
    check_mask(mask, image)
    allowed = None if mask is None else mask.as_subclass(Tensor).bool()
    outputs = Outputs(activation, logits_of, ignore_index)
    with attacking(network, image) as forward, torch.no_grad():
        task = make_task(forward, image, label, mask=allowed, include_background=include_background, outputs=outputs)
        logits = task.logits(image)
        highest_logits(logits)
        return quality_of(task, logits, quality)
