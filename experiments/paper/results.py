"""What a finished run measured, in the form from which tables and plots are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from experiments.attacks import TYPES, AttackSetting
from experiments.paper.experiment import Experiment
from experiments.paper.names import CALIBRATION, COMBINED, DETECTORS, DIVERGENCE, PAIRS, TARGETS
from experiments.paper.stages import overlap_names
from experiments.tables import CLEAN, Facts
from monai_advdefense.guard.calibration import standardization

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
        examples: one slice ``(H, W)``, clean and under each type of DAG at full strength, brain only; may be empty.
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
    examples: dict[str, Floats] = field(default_factory=dict)

    def counted(self, resamples: int) -> Facts:
        """The facts, and how much was measured."""
        return {
            **self.facts,
            "clean_slices": str(len(self.subject)),
            "volumes": str(len(np.unique(self.volume))),
            "subjects": str(len(np.unique(self.subject))),
            "resamples": str(resamples),
        }


def collect(experiment: Experiment, facts: Facts) -> Results:
    """Everything that tables and plots are made from."""
    scores = _scores(experiment)
    detectors = (*DETECTORS, DIVERGENCE, COMBINED)
    calibration = {
        (detector, target): scores.pop((detector, target, CALIBRATION)) for detector in detectors for target in TARGETS
    }
    behind = {
        (reformer, target): (reformer, target, names)
        for reformer, names in overlap_names(experiment).items()
        for target in TARGETS
    }
    return Results(
        facts=facts,
        targets=TARGETS,
        pairs=PAIRS,
        detectors=detectors,
        scores=scores,
        calibration=calibration,
        examples=_examples(experiment),
        **measurements(experiment, behind, {target: target for target in TARGETS}),
    )


def measurements(
    experiment: Experiment,
    behind: Mapping[tuple[str, str], tuple[str, str, Sequence[str]]],
    attacked: Mapping[str, str],
) -> dict[str, Any]:
    """What was measured by segmenting slices, as arguments of :class:`~experiments.paper.results.Results`.

    Args:
        experiment: a run of which every task is done.
        behind: by (reformer, target) of the results: reformer and target network of the run, and the sets of slices.
        attacked: by the name in the results: the target network of the run that was attacked.
    """
    overlaps = {
        (*key, name): experiment.overlaps(reformer, target, name).load()
        for key, (reformer, target, names) in behind.items()
        for name in names
    }
    norm, flipped = {}, {}
    for key, target in attacked.items():
        for name in experiment.settings:
            attack = experiment.attack(target, name).load()
            norm[key, name], flipped[key, name] = attack["norm"], attack["flipped"]
    slices = experiment.slices("test")
    return {
        "settings": experiment.settings,
        "subject": slices.subject,
        "volume": slices.volume,
        "counts": {key: arrays["counts"] for key, arrays in overlaps.items()},
        "soft_dice": {key: arrays["soft_dice"] for key, arrays in overlaps.items()},
        "norm": norm,
        "flipped": flipped,
    }


def _scores(experiment: Experiment) -> dict[tuple[str, str, str], Floats]:
    """Scores of each detector, and the sum of both scores of the combined one."""
    names = [CLEAN, *experiment.settings, CALIBRATION]
    scores: dict[tuple[str, str, str], Floats] = {
        (detector, target, name): experiment.scores(detector, target, name).load()["score"]
        for detector in DETECTORS
        for target in TARGETS
        for name in names
    }
    for target in TARGETS:
        other = {name: experiment.divergence(target, name).load()["score"] for name in names}
        both = {name: np.stack([scores["UNet shifted", target, name], other[name]], axis=1) for name in names}
        center, scale = standardization(both[CALIBRATION])
        for name in names:
            scores[DIVERGENCE, target, name] = other[name]
            scores[COMBINED, target, name] = ((both[name] - center) / scale).sum(axis=1)
    return scores


def _examples(experiment: Experiment) -> dict[str, Floats]:
    """One slice, clean and under each type of DAG on the first target network."""
    slices, names = experiment.slices("test"), {f"type {kind}": AttackSetting("dag", kind).name for kind in TYPES}
    # The middle of a brain shows most of it.
    place = int((slices.volume == slices.volume[0]).sum()) // 2
    # A copy, so that the images of one attack at a time are in memory.
    return {
        shown: experiment.images(TARGETS[0], name)[place, 0].numpy().copy()
        for shown, name in {CLEAN: CLEAN, **names}.items()
    }
