"""Certified labels: what a vote of noisy passes costs against a plain loop over the same passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.table import Row
from monai_advdefense.certification import certify
from monai_advdefense.guard.optimize_for_inference import optimize_for_inference

__all__ = ["EXPLANATION", "measure"]

EXPLANATION = (
    "One coronal slice of a sample brain, 192 x 192, noise of 0.25 inside the brain. The plain loop passes one noisy "
    "copy after the other through reformer and segmenter and counts the classes. `certify` takes as many passes "
    "through the same networks as inference prepares them, and proves the radii. Both take turns; medians over "
    "{repeats} turns of 40 passes, after one that is not counted."
)
_PASSES = 40
_BAR = 1 / 1.5


def measure(guard: nn.Module, image: Tensor, *, repeats: int) -> list[Row]:
    """Rows for a slice ``(1, 1, H, W)``."""
    plain = nn.Sequential(guard.get_submodule("reformer"), guard.get_submodule("segmenter"))
    fast = optimize_for_inference(guard, image)
    chain = nn.Sequential(fast.get_submodule("reformer"), fast.get_submodule("segmenter"))
    mask = image > 0
    ways: dict[str, Callable[[], object]] = {
        "plain loop": lambda: _loop(plain, image, mask),
        "certify": lambda: certify(chain, image, sigma=0.25, n=_PASSES - 10, mask=mask),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    rows = [Row(f"{name}, a pass", median(values) / _PASSES, unit=" s") for name, values in seconds.items()]
    return [*rows, Row("certify: ratio", median(seconds["certify"]) / median(seconds["plain loop"]), _BAR)]


@torch.no_grad()
def _loop(network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    """How often each pass gives each class of each pixel ``(K, H, W)``."""
    counts: Tensor | int = 0
    for _ in range(_PASSES):
        logits = network(torch.where(mask, image + 0.25 * torch.randn_like(image), image))
        counts = counts + nn.functional.one_hot(logits.argmax(1)[0], logits.shape[1])
    return torch.as_tensor(counts)
