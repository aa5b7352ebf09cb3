"""What the experiments measured, in the form from which tables and figures are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from experiments.settings import AttackSetting

__all__ = ["CLEAN", "FALSE_POSITIVE_RATE", "NO_REFORMER", "Results"]

CLEAN = "clean"
NO_REFORMER = "none"
# Share of clean calibration slices that every threshold may reject.
FALSE_POSITIVE_RATE = 0.05

_Floats: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Results:
    """Measurements on the same slices of the test split: clean, and under each attack on each target network.

    Keys name networks and attacks. ``attack`` is a key of ``settings``, or ``CLEAN``.

    Attributes:
        facts: command, preset, date, sizes, versions; for captions.
        targets: names of the target networks.
        detectors: names of the detectors of Table 1, in its order; then those beyond the paper.
        pairs: (detector, reformer) of each row of Table 2, in its order; then those beyond the paper.
        settings: the attacks on each target network, by name.
        subject: subject of each slice ``(N,)``.
        volume: number of each slice's volume ``(N,)``.
        scores: by (detector, target, attack): scores ``(N,)``, higher is more suspicious.
        calibration: by (detector, target): scores ``(M,)`` of the calibration split.
        counts: by (reformer, target, attack): overlap counts ``(N, C, 3)`` of the target network behind the reformer;
            ``NO_REFORMER`` is the target network alone.
        soft_dice: by (reformer, target, attack): the paper's soft Dice ``(N,)``, background included.
        norm: by (target, attack): L2 norm ``(N,)`` of the perturbations.
        flipped: by (target, attack): fraction ``(N,)`` of the targeted pixels that were flipped; NaN for noise.
        examples: by (target, attack): attacked slice ``(H, W)`` of one and the same place, CLEAN included.
    """

    facts: dict[str, str]
    targets: tuple[str, ...]
    detectors: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    settings: dict[str, AttackSetting]
    subject: npt.NDArray[np.str_]
    volume: npt.NDArray[np.integer[Any]]
    scores: dict[tuple[str, str, str], _Floats]
    calibration: dict[tuple[str, str], _Floats]
    counts: dict[tuple[str, str, str], npt.NDArray[np.integer[Any]]]
    soft_dice: dict[tuple[str, str, str], _Floats]
    norm: dict[tuple[str, str], _Floats]
    flipped: dict[tuple[str, str], _Floats]
    examples: dict[tuple[str, str], _Floats]
