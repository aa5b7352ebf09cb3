"""What the scores of the predictions see: false alarms, verdicts, attacks that do not know them.

``python -m experiments.screen.prediction_scores --dataset_dir DATA --work_dir DIR`` prints the figures of the test
split, fitted on all others. What was measured stays in the folder: a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.artefact import Arrays, Artefact
from experiments.bundles import BUNDLES
from experiments.evaluation.networks import load_guard, segmenter_config
from experiments.screen.prediction_figures import (
    Measured,
    attack_line,
    clean_lines,
    erased_structures,
    fit,
    volume_rows,
)
from experiments.screen.smooth_attacks import LOWEST, bias_field_attack, soft_dice_pgd
from experiments.slices import Slices, load_slices
from monai_advdefense.attacks import all_background, dag, dilate_structure, erase_structure, frozen, step_size_for
from monai_advdefense.errors import InputError
from monai_advdefense.guard.prediction_typicality import PredictionNumbers, prediction_numbers

FITTED = ("train", "validation", "calibration")
BATCH = 4


@dataclass(frozen=True)
class Networks:
    """Segmenter and reformer, which the attacks know or do not."""

    segmenter: nn.Module
    reformer: nn.Module

    @property
    def behind(self) -> nn.Module:
        """Reformer and segmenter in a row."""
        return nn.Sequential(self.reformer, self.segmenter)


def _dag(share: float, target: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def attack(networks: Networks, image: Tensor, label: Tensor, structure: Tensor) -> Tensor:
        size = share * step_size_for(image.shape[-1])
        return dag(
            networks.segmenter, image, label, target=target(label), step_size=size, mask=image > 0
        ).image  # fmt: skip

    return attack


def _dilated(label: Tensor) -> Tensor:
    return dilate_structure(label, generator=torch.Generator().manual_seed(0))


def _erase(radius: float) -> Callable[..., Tensor]:
    def attack(networks: Networks, image: Tensor, label: Tensor, structure: Tensor) -> Tensor:
        return erase_structure(
            networks.behind, image, label, structure=structure, radius=radius, mask=image > 0
        ).image  # fmt: skip

    return attack


ATTACKS: Mapping[str, Callable[..., Tensor]] = {
    "DAG A, 1/8": _dag(1 / 8, all_background),
    "DAG C, 1/8": _dag(1 / 8, _dilated),
    "DAG A, 1/16": _dag(1 / 16, all_background),
    "DAG C, 1/16": _dag(1 / 16, _dilated),
    "soft Dice, norm .9": lambda n, x, y, s: soft_dice_pgd(n.segmenter, x, y, radius=0.9),
    "low frequencies, norm 4.4": lambda n, x, y, s: soft_dice_pgd(n.segmenter, x, y, radius=4.4, lowest=LOWEST),
    "bias field .86 to 1.16": lambda n, x, y, s: bias_field_attack(n.segmenter, x, y),
    "structure erased, norm 1.14": _erase(1.14),
    "structure erased, norm .60": _erase(0.60),
}
"""Attacks by networks, image, label and the structure to erase; all but the last two know the segmenter alone."""


def measured(networks: Networks, image: Tensor, position: Tensor) -> Arrays:
    """Numbers of the predictions on slices ``(N, 1, H, W)``, and the labels predicted behind the reformer."""
    parts, labels = [], []
    with frozen(networks.behind), torch.no_grad():
        for rows in tqdm(torch.arange(len(image)).split(BATCH), leave=False):
            batch = image[rows]
            logits, reformed = networks.segmenter(batch), networks.behind(batch)
            log_area = (batch > 0).flatten(1).sum(1).clamp_min(1).log()
            parts.append(prediction_numbers(logits, reformed, batch, position[rows], log_area))
            labels.append(reformed.argmax(1).byte())
    joined = PredictionNumbers.joined(parts)
    return {name: value.numpy() for name, value in asdict(joined).items()} | {"predicted": torch.cat(labels).numpy()}


def positions(slices: Slices) -> Tensor:
    """Place of each slice among those of its volume, 0 to 1."""
    found = np.zeros(len(slices))
    for number in np.unique(slices.volume):
        rows = slices.volume == number
        found[rows] = np.linspace(0, 1, rows.sum())
    return torch.from_numpy(found).float()


def figures(dataset_dir: Path, *, bundles: Path, work_dir: Path, slices: int) -> list[str]:
    """Measure, fit on all splits but the test split, and tell the figures of that.

    Args:
        dataset_dir: data in the layout of MALC 2012.
        bundles: folder of the bundles.
        work_dir: folder of the measurements.
        slices: attacked slices of each volume, evenly spaced.

    Raises:
        InputError: the bundle of the guard has no weights.
    """
    guard = load_guard(bundles)
    if guard is None:
        raise InputError(f"{bundles}: expected the weights of the guarded bundle, found none: train it first")
    networks = Networks(guard.network.get_submodule("segmenter"), guard.network.get_submodule("reformer"))
    facts = {"weights": guard.sha256, "data": str(dataset_dir)}

    def stored(name: str, compute: Callable[[], Arrays]) -> Arrays:
        return Artefact(work_dir, name, facts, compute).arrays()

    def clean(split: str) -> Measured:
        found = load_slices(segmenter_config(bundles, dataset_dir), dataset_dir, split)
        return found, stored(f"clean_{split}", lambda: measured(networks, found.image, positions(found)))

    fitted, tested = fit(together([clean(split) for split in FITTED])), clean("test")
    picked = [row[np.linspace(0, len(row) - 1, slices + 2)[1:-1].astype(int)] for row in volume_rows(tested[0])]
    rows = torch.from_numpy(np.concatenate(picked))
    lines = clean_lines(fitted, tested)
    for name, attack in ATTACKS.items():
        arrays = stored(f"{name}_{slices}", partial(_attacked, networks, tested, rows, attack))
        lines.append(attack_line(name, fitted, tested, rows, arrays))
    return lines


def together(parts: Sequence[Measured]) -> Measured:
    """Several splits as one, their volumes numbered anew."""
    offsets = np.cumsum([0, *[slices.volume.max() + 1 for slices, _ in parts]])
    slices = Slices(
        torch.cat([part.image for part, _ in parts]),
        torch.cat([part.label for part, _ in parts]),
        np.concatenate([part.volume + offset for (part, _), offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.subject for part, _ in parts]),
        np.concatenate([part.slice for part, _ in parts]),
    )
    return slices, {name: np.concatenate([arrays[name] for _, arrays in parts]) for name in parts[0][1]}


def _attacked(networks: Networks, tested: Measured, rows: Tensor, attack: Callable[..., Tensor]) -> Arrays:
    image, label = tested[0].image[rows], tested[0].label[rows]
    before = torch.from_numpy(tested[1]["predicted"])[rows].long()
    structure = erased_structures(label, before, tested[1]["area"].shape[1])
    seen = label.masked_fill(image[:, 0] <= 0, 0)
    batches = tqdm(torch.arange(len(rows)).split(BATCH), leave=False)
    found = torch.cat([attack(networks, image[b], seen[b], structure[b]) for b in batches])
    return measured(networks, found, positions(tested[0])[rows])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--bundles", type=Path, default=BUNDLES)
    parser.add_argument("--work_dir", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=4, help="attacked slices of each volume")
    print("\n".join(figures(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
