"""DAG: what an iteration costs beyond the forward pass and the gradient that it cannot do without."""

from __future__ import annotations

import time
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.table import Row
from monai_advdefense.attacks import dag, step_size_for
from monai_advdefense.attacks.frozen import frozen

__all__ = ["EXPLANATION", "measure"]

EXPLANATION = (
    "The segmenter of the bundle on {batch} coronal slices of a sample brain, 192 x 192, L2 steps to the background "
    "from the network's own prediction. An iteration is a call of `dag` with {steps} steps divided by {steps}: its "
    "checks, its start and the forward pass at its end are in it. The baseline is one forward pass and one gradient of "
    "the images for fixed weights of the logits, parameters frozen. Attack and baseline take turns; medians over "
    "{repeats} turns, after one that is not counted."
)
_BAR = 1.10


def measure(network: nn.Module, image: Tensor, *, repeats: int, steps: int) -> list[Row]:
    """Rows for both objectives of the attack on ``image`` ``(B, 1, H, W)``."""
    with torch.no_grad():
        label = network(image).argmax(1)
    names = {False: "label logit only (default)", True: "target and label logit (`target_term`)"}
    baseline: list[float] = []
    attack: dict[bool, list[float]] = {form: [] for form in names}
    for turn in range(repeats + 1):
        seconds = _baseline(network, image, steps)
        times = {form: _attack(network, image, label, steps, form) for form in names}
        if turn:
            baseline.append(seconds)
            for form, value in times.items():
                attack[form].append(value)
    rows = [Row("forward pass and gradient of the images", median(baseline), unit=" s")]
    for form, name in names.items():
        rows.append(Row(f"iteration, {name}", median(attack[form]), unit=" s"))
        rows.append(Row(f"iteration, {name}: ratio", median(attack[form]) / median(baseline), _BAR))
    return rows


def _baseline(network: nn.Module, image: Tensor, steps: int) -> float:
    """Seconds of one forward pass and one gradient of the images."""
    image = image.clone()
    with torch.no_grad():
        weights = torch.ones_like(network(image))
    with frozen(network):
        start = time.perf_counter()
        for _ in range(steps):
            image.requires_grad_(True)
            torch.autograd.grad(network(image), image, weights)
        return (time.perf_counter() - start) / steps


def _attack(network: nn.Module, image: Tensor, label: Tensor, steps: int, target_term: bool) -> float:
    """Seconds of one iteration of the attack."""
    target = torch.zeros_like(label)
    start = time.perf_counter()
    dag(
        network,
        image,
        label,
        target=target,
        step_size=step_size_for(image.shape[-1]),
        steps=steps,
        target_term=target_term,
    )
    return (time.perf_counter() - start) / steps
