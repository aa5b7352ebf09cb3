"""Read the artefacts of a finished run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.paper.experiment import Experiment
from experiments.paper.names import CALIBRATION, COMBINED, DETECTORS, DIVERGENCE, PAIRS, TARGETS
from experiments.paper.results import Floats, Results
from experiments.paper.stages import overlap_names
from experiments.tables import CLEAN, Facts
from monai_advdefense.guard.calibration import standardization


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


def _examples(experiment: Experiment) -> dict[tuple[str, str], Floats]:
    """One slice, clean and under each attack on each target network."""
    slices = experiment.slices("test")
    # The middle of a brain shows most of it.
    place = int((slices.volume == slices.volume[0]).sum()) // 2
    # A copy, so that the images of one attack at a time are in memory.
    return {
        (target, name): experiment.images(target, name)[place, 0].numpy().copy()
        for target in TARGETS
        for name in (CLEAN, *experiment.settings)
    }
