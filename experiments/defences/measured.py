"""Defences under attack, slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from experiments.defences.copies import Copies, blind_copies, passing_copies, slices_sha256
from experiments.defences.prepared import Prepared
from experiments.defences.threats import Threat
from experiments.dice import nanmean
from experiments.slices import Slices
from monai_advdefense.robustness.cells import Cells

__all__ = ["Attacked", "Measured", "attack_slices"]

_BATCH = 4


@dataclass(frozen=True)
class Attacked:
    """What an attacker reaches, of all copies that the defence lets pass and the clean slice.

    Attributes:
        dice: ``(N,)``, lowest mean Dice over the structures of a slice; NaN where nothing passes.
        structures: ``(N, K - 1)``, lowest Dice of each structure, each in its own worst copy, of the copies by one who
            does not mind what is rejected; NaN where nothing passes or the label has none of it.
        accepted: ``(N,)``, whether an attacked copy passes.
    """

    dice: npt.NDArray[np.float64]
    structures: npt.NDArray[np.float64]
    accepted: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """A defence without attack, and under each threat budget by budget.

    Attributes:
        dice: of the clean slices ``(N,)``, whether they pass or not.
        structures: of the clean slices ``(N, K - 1)``, likewise.
        clean: what passes of them.
        attacked: by the name of the threat.
    """

    dice: npt.NDArray[np.float64]
    structures: npt.NDArray[np.float64]
    clean: Attacked
    attacked: Mapping[str, Sequence[Attacked]]


def attack_slices(
    network: nn.Module, slices: Slices, threats: Sequence[Threat], *, undefended: nn.Module, work_dir: Path
) -> Measured:
    """Attack slices within the brain, see :mod:`experiments.defences.copies`.

    Copies of a smaller budget count for a larger one.

    Args:
        network: from slices to logits; a :class:`~monai_advdefense.guard.DefendedSegmenter` may reject.
        slices: what is attacked.
        threats: kinds of attacks.
        undefended: the segmenter that some of them know alone.
        work_dir: folder of the measurements; a run that was stopped goes on there.
    """
    defence, source = Prepared(network), Prepared(undefended)
    cells = Cells(work_dir, of={"network": defence.sha256, "undefended": source.sha256})
    parts: dict[str, list[list[dict[str, Any]]]] = {threat.name: [] for threat in threats}
    starts = range(0, len(slices), _BATCH)
    for start, threat in tqdm([(start, threat) for start in starts for threat in threats]):
        some = slices.at(range(start, min(start + _BATCH, len(slices))))
        blind = partial(blind_copies, defence, threat, some, undefended=source, images_dir=work_dir / "images")
        key = {"threat": repr(threat), "slices": slices_sha256(some)}
        worst = cells.make(key, partial(_slices_under, defence, threat, some, blind))["budgets"]
        hit = cells.make({**key, "of": "structures"}, partial(_structures_under, defence, some, blind))["budgets"]
        parts[threat.name].append([{**first, **second} for first, second in zip(worst, hit, strict=True)])
    attacked = {name: [_joined(budget) for budget in zip(*of_threat, strict=True)] for name, of_threat in parts.items()}
    return _measured(defence, slices, attacked)


def _measured(defence: Prepared, slices: Slices, attacked: Mapping[str, Sequence[Attacked]]) -> Measured:
    rows = [slices.at([row]) for row in range(len(slices))]
    structures = torch.cat([defence.structure_dice(row.image, row.label) for row in rows]).numpy()
    accepted = torch.cat([defence.accepted(row.image) for row in rows]).numpy()
    dice = nanmean(structures)
    passing = Attacked(np.where(accepted, dice, np.nan), np.where(accepted[:, None], structures, np.nan), accepted)
    return Measured(dice, structures, passing, attacked)


def _joined(parts: Sequence[Mapping[str, Any]]) -> Attacked:
    dice, structures, accepted = (
        [value for part in parts for value in part[name]] for name in ("dice", "structures", "accepted")
    )
    return Attacked(np.array(dice, np.float64), np.array(structures, np.float64), np.array(accepted, np.bool_))


def _slices_under(
    defence: Prepared, threat: Threat, slices: Slices, blind: Callable[[], Copies]
) -> dict[str, list[dict[str, Any]]]:
    """Lowest Dice of each slice and whether a copy passes, for each budget, as JSON."""
    copies = blind()
    if defence.guard is not None:
        passing = passing_copies(defence.guard, threat, slices, blind=copies)
        copies = [first + second for first, second in zip(copies, passing, strict=True)]
    budgets = []
    for images in _cumulated(slices, copies):
        passed, structures = _passing(defence, slices, images)
        budgets.append({"dice": _amin(structures.nanmean(-1)).tolist(), "accepted": passed[1:].any(0).tolist()})
    return {"budgets": budgets}


def _structures_under(
    defence: Prepared, slices: Slices, blind: Callable[[], Copies]
) -> dict[str, list[dict[str, Any]]]:
    """Lowest Dice of each structure of each slice, for each budget, as JSON."""
    passing = [_passing(defence, slices, images)[1] for images in _cumulated(slices, blind())]
    return {"budgets": [{"structures": _amin(structures).tolist()} for structures in passing]}


def _cumulated(slices: Slices, copies: Copies) -> list[list[Tensor]]:
    """The clean slices, then the copies up to each budget: what is within a smaller one is within this one."""
    return list(accumulate(copies, initial=[slices.image]))[1:]


def _passing(defence: Prepared, slices: Slices, images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Which copies ``(C, N)`` pass, and the Dice ``(C, N, K - 1)`` of their structures, NaN where they do not."""
    passed = torch.stack([defence.accepted(image) for image in images])
    structures = torch.stack([defence.structure_dice(image, slices.label) for image in images])
    return passed, structures.where(passed[..., None], torch.nan)


def _amin(values: Tensor) -> Tensor:
    """Lowest along the first axis, NaN where all are."""
    lowest = values.nan_to_num(nan=torch.inf).amin(0)
    return lowest.where(lowest.isfinite(), torch.nan)
