"""A screen that is calibrated from a configuration alone, on another organ and contrast than the brain."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.bundles import bundle_config
from experiments.evaluation.networks import load_guard
from experiments.screen.conditions import SPOILT
from experiments.screen.examined import Examined, examine, positions, predicted
from experiments.screen.judged import judge_alone, judge_whole, rejected_by_image
from experiments.screen.organ_phantom import write_kidney_phantoms
from experiments.tables import Row
from monai_advdefense.bundle_tools.run_bundle import run_bundle
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.screen import Screen
from monai_advdefense.weights import load_weights

__all__ = ["other_organ"]

CALIBRATED, NEW = 20, 6
EVERY = 2
RATE = 0.05


def other_organ(bundles: Path, accidents: Sequence[str]) -> Row:
    """Calibrate on 20 phantoms by ``inference.json`` and ``calibrate.json``; false alarms and accidents of new ones.

    The networks are those of the brain: what they predict is nonsense, but the same nonsense on clean volumes.

    Raises:
        InputError: the weights of the guard are missing.
    """
    composite = bundles / "brain_mri_defended_segmentation"
    guard = load_guard(bundles).guard
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_kidney_phantoms(folder / "clean", range(CALIBRATED))
        new = write_kidney_phantoms(folder / "new", range(CALIBRATED, CALIBRATED + NEW))
        seconds = _calibrate(composite, folder / "clean", folder / "screen.pt")
        screen = Screen(int(bundle_config(composite, "inference")["num_classes"]))
        load_weights(folder / "screen.pt", screen, require_calibrated=True)
        volumes = [_slices(composite, path) for path in new]
    with torch.no_grad():
        clean = [judge_whole(screen, _examined(guard, screen, volume)) for volume in volumes]
        found = [_rejected(guard, screen, volume, name) for name in accidents for volume in volumes]
    return {
        "seconds": seconds,
        "calibrated_volumes": CALIBRATED,
        "volumes": NEW,
        "false_alarms": sum(float((~c.accepted)[c.judged].double().mean()) for c in clean) / NEW,
        "clean_not_clean": sum(c.verdict.verdict != "clean" for c in clean) / NEW,
        "accidents_rejected": sum(share for share, _ in found) / len(found),
        "accidents_not_clean": sum(not_clean for _, not_clean in found) / len(found),
    }


def _calibrate(composite: Path, data: Path, output: Path) -> float:
    """Seconds of all processors together that a calibration takes: whatever else the machine does."""
    start = time.process_time()
    run_bundle(
        composite,
        ["inference", "calibrate"],
        {
            "clean_volumes": str(data),
            "dataset_dir": str(data),
            "screen_path": str(output),
            "false_positive_rate": RATE,
            "volume_rate": RATE,
        },
    )
    return time.process_time() - start


def _rejected(guard: DefendedSegmenter, screen: Screen, volume: Tensor, name: str) -> tuple[float, bool]:
    """Share of the slices that are rejected, and whether the volume is not clean."""
    part = _examined(guard, screen, SPOILT[name](volume), EVERY)
    said = judge_alone(screen, part)
    return float((~said.accepted)[said.judged].double().mean()), said.verdict.verdict != "clean"


def _examined(guard: DefendedSegmenter, screen: Screen, volume: Tensor, every: int = 1) -> Examined:
    index = torch.arange(0, len(volume), every)
    image, label = volume[index], torch.zeros(len(index), *volume.shape[2:], dtype=torch.int64)
    part = examine(image, num_classes=screen.num_classes, index=index, position=positions(volume)[index])
    # Of a volume that is spoilt as a whole what the image rejects needs no prediction.
    needed = torch.ones_like(part.blank)
    if every > 1:
        needed = ~rejected_by_image(screen, part.features, part.prediction.position)
    return predicted(part, guard, image, label, needed)


def _slices(composite: Path, path: Path) -> Tensor:
    """Preprocessed slices ``(S, 1, X, Z)``."""
    preprocessing: Any = bundle_config(composite, "inference").get_parsed_content("preprocessing")
    image = torch.as_tensor(preprocessing({"image": str(path)})["image"]).as_subclass(Tensor)
    return image[0].movedim(1, 0)[:, None].float().contiguous()
