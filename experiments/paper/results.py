"""What the experiments measured, in the form from which tables and plots are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from experiments.attacks import AttackSetting
from experiments.tables import Facts

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Results:
    """Measurements on the same slices of the test split: clean, and under each attack on each target network.

    Keys name networks and attacks. ``attack`` is a key of ``settings``, or ``CLEAN``.

    Attributes:
        facts: command, preset, date, sizes, versions; for captions.
        targets: names of the target networks.
        pairs: (detector, reformer) of each row of Table 2, in its order; then those beyond the paper.
        settings: the attacks on each target network, by name.
        subject: subject of each slice ``(N,)``.
        volume: number of each slice's volume ``(N,)``.
        counts: by (reformer, target, attack): overlap counts ``(N, C, 3)`` of the target network behind the reformer;
            ``NO_REFORMER`` is the target network alone.
        soft_dice: by (reformer, target, attack): the paper's soft Dice ``(N,)``, background included.
        norm: by (target, attack): L2 norm ``(N,)`` of the perturbations.
        flipped: by (target, attack): fraction ``(N,)`` of the targeted pixels that were flipped; NaN for noise.
        detectors: names of the detectors of Table 1, in its order; then those beyond the paper.
        scores: by (detector, target, attack): scores ``(N,)``, higher is more suspicious.
        calibration: by (detector, target): scores ``(M,)`` of the calibration split.
        examples: by (target, attack): attacked slice ``(H, W)`` of one and the same place, CLEAN included.
    """

    facts: Facts
    targets: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    settings: dict[str, AttackSetting]
    subject: npt.NDArray[np.str_]
    volume: npt.NDArray[np.integer[Any]]
    counts: dict[tuple[str, str, str], npt.NDArray[np.integer[Any]]]
    soft_dice: dict[tuple[str, str, str], Floats]
    norm: dict[tuple[str, str], Floats]
    flipped: dict[tuple[str, str], Floats]
    detectors: tuple[str, ...] = ()
    scores: dict[tuple[str, str, str], Floats] = field(default_factory=dict)
    calibration: dict[tuple[str, str], Floats] = field(default_factory=dict)
    examples: dict[tuple[str, str], Floats] = field(default_factory=dict)

    def counted(self, resamples: int) -> Facts:
        """The facts, and how much was measured."""
        return {
            **self.facts,
            "clean_slices": str(len(self.subject)),
            "volumes": str(len(np.unique(self.volume))),
            "subjects": str(len(np.unique(self.subject))),
            "resamples": str(resamples),
        }
