"""Whether the image alone tells what spoilt a volume, on training and validation volumes."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from experiments.bundles import BUNDLES
from experiments.screen.conditions import VOXEL_SIZES, causes_of
from experiments.screen.examined import positions
from experiments.screen.measured import Measured
from experiments.screen.spoilt_volumes import SPOILT_VOLUMES
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard.scores.slice_features import slice_features
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.typicality import TYPICALITY_CAUSES

__all__ = ["named_causes"]

SPLITS = {"validation": None, "train": 4}
"""Splits whose volumes are looked at, and how many of them; None is all."""


@torch.no_grad()
def named_causes(screen: Screen, volumes: Sequence[torch.Tensor], condition: str) -> tuple[Counter[str], Counter[str]]:
    """Spoil volumes, and count the causes that are named.

    Args:
        screen: the judge.
        volumes: clean ones ``(S, 1, X, Z)``.
        condition: how they are spoilt, of :data:`~experiments.screen.spoilt_volumes.SPOILT_VOLUMES`.

    Returns:
        Causes of the spoilt slices that the image alone rejects, and of the volumes.
    """
    slices: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for clean in volumes:
        spoilt = SPOILT_VOLUMES[condition](clean)
        found = screen.typicality.score(slice_features(spoilt), positions(spoilt))
        rejected = found.judged & (found.scores.amax(dim=1) > screen.threshold) & (spoilt != clean).flatten(1).any(1)
        slices.update(TYPICALITY_CAUSES[row] for row in found.by_cause[rejected].argmax(dim=1).tolist())
        judged = found.by_cause[found.judged]
        tenth = judged.topk(math.ceil(len(judged) / 10), dim=0).values.mean(dim=0)
        whole[TYPICALITY_CAUSES[int(tenth.argmax())]] += 1
    return slices, whole


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Print how many causes are named rightly, for each way to spoil a volume."""
    parser = argparse.ArgumentParser(prog="python -m experiments.screen.named_causes", description=main.__doc__)
    parser.add_argument(
        "--dataset_dir", required=True, type=Path, metavar="DIR", help="data in the layout of MALC 2012"
    )
    parser.add_argument("--bundles", default=BUNDLES, type=Path, metavar="DIR", help="folder of the bundles")
    options = parser.parse_args(arguments)
    weights = options.bundles / "brain_mri_defended_segmentation" / "models" / "screen" / "model.pt"
    volumes = []
    for split, count in SPLITS.items():
        measured = Measured(options.dataset_dir, split, options.bundles, Path(), weights)
        volumes += [measured.volume(case)[0] for case in measured.cases[:count]]
    for condition in SPOILT_VOLUMES:
        right = causes_of(condition)
        if right and condition not in VOXEL_SIZES:
            parts = named_causes(measured.screen, volumes, condition)
            told = [f"{sum(part[cause] for cause in right)} of {sum(part.values())}" for part in parts]
            print(f"{condition}: slices {told[0]}, volumes {told[1]}; {dict(parts[0])}", flush=True)


if __name__ == "__main__":
    main()
