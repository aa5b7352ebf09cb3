"""Slices that were certified, kept in a folder, so that a run that was stopped goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from experiments.slices import Slices
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.certification import certify
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.optimize_for_inference import optimize_for_inference


def certify_slices(
    guard: DefendedSegmenter, slices: Slices, *, sigma: float, n: int, work_dir: Path
) -> tuple[Tensor, Tensor]:
    """Labels and radii ``(N, H, W)`` of slices behind the reformer; noise and threat lie inside the brain."""
    with torch.no_grad():
        fast = optimize_for_inference(guard, slices.image[:1])
    chain = nn.Sequential(fast.get_submodule("reformer"), fast.get_submodule("segmenter"))
    found = [_certified(chain, slices, row, sigma, n, work_dir / f"{row}.npz") for row in range(len(slices))]
    labels, radii = zip(*found, strict=True)
    return torch.stack(labels), torch.stack(radii)


def _certified(chain: nn.Module, slices: Slices, row: int, sigma: float, n: int, path: Path) -> tuple[Tensor, Tensor]:
    if not path.is_file():
        image = slices.image[row : row + 1]
        generator = torch.Generator().manual_seed(row)
        found = certify(chain, image, sigma=sigma, n=n, mask=image > 0, generator=generator)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, label=found.label[0].numpy(), radius=found.radius[0].numpy())
    with np.load(path) as kept:
        return torch.from_numpy(kept["label"]), torch.from_numpy(kept["radius"])
