"""Read the artefacts of a finished run."""

from __future__ import annotations

import numpy as np

from experiments.paper.experiment import CALIBRATION, Experiment
from experiments.paper.results import CLEAN, Results
from experiments.paper.stages import overlap_names
from experiments.paper.trainings import DETECTORS, TARGETS
from monai_advdefense.guard.calibration import standardization

__all__ = ["COMBINED", "DIVERGENCE", "PAIRS", "collect"]

DIVERGENCE = "divergence"
COMBINED = "UNet shifted + divergence"

_AUTOENCODERS = ("Autoencoder I", "Autoencoder II")
_SHIFTED = ("UNet shifted", "DenseNet shifted")
_NETWORKS = ("UNet", "DenseNet")
# The 16 pairs of Table 2, numbered from 1: MagNet is 1 to 4, the paper's own proposal 13.
PAIRS = (
    *((detector, reformer) for detector in _AUTOENCODERS for reformer in _AUTOENCODERS),
    *((detector, reformer) for detector in _AUTOENCODERS for reformer in _NETWORKS),
    *((detector, reformer) for detector in _SHIFTED for reformer in _AUTOENCODERS),
    *((detector, reformer) for detector in _SHIFTED for reformer in _NETWORKS),
    ("UNet shifted", "UNet denoiser"),
    (COMBINED, "UNet denoiser"),
)


def collect(experiment: Experiment, facts: dict[str, str]) -> Results:
    """Everything that tables and figures are made from.

    Args:
        experiment: a run of which every task is done.
        facts: command, date and sizes, for captions.
    """
    names = [CLEAN, *experiment.settings]
    scores = {
        (detector, target, name): experiment.scores(detector, target, name).load()["score"]
        for detector in DETECTORS
        for target in TARGETS
        for name in [*names, CALIBRATION]
    }
    for target in TARGETS:
        spectral = {name: scores["UNet shifted", target, name] for name in [*names, CALIBRATION]}
        divergence = {name: experiment.divergence(target, name).load()["score"] for name in spectral}
        center, scale = standardization(np.stack([spectral[CALIBRATION], divergence[CALIBRATION]], axis=1))
        for name in spectral:
            scores[DIVERGENCE, target, name] = divergence[name]
            both = np.stack([spectral[name], divergence[name]], axis=1)
            scores[COMBINED, target, name] = ((both - center) / scale).sum(axis=1)
    detectors = (*DETECTORS, DIVERGENCE, COMBINED)
    calibration = {
        (detector, target): scores.pop((detector, target, CALIBRATION)) for detector in detectors for target in TARGETS
    }
    overlaps = {
        (reformer, target, name): experiment.overlaps(reformer, target, name).load()
        for reformer, measured in overlap_names(experiment).items()
        for target in TARGETS
        for name in measured
    }
    items = experiment.items("test")
    # The middle of a brain shows most of it.
    place = sum(item["volume"] == items[0]["volume"] for item in items) // 2
    examples = {(target, CLEAN): items[place]["image"][0].numpy() for target in TARGETS}
    norm, flipped = {}, {}
    for target in TARGETS:
        for name in experiment.settings:
            attack = experiment.attack(target, name).load()
            norm[target, name], flipped[target, name] = attack["norm"], attack["flipped"]
            # A copy, so that the images of one attack at a time are in memory.
            examples[target, name] = attack["image"][place, 0].copy()
    return Results(
        facts=facts,
        targets=TARGETS,
        detectors=detectors,
        pairs=PAIRS,
        settings=experiment.settings,
        subject=np.array([item["subject"] for item in items]),
        volume=np.array([item["volume"] for item in items]),
        scores=scores,
        calibration=calibration,
        counts={key: arrays["counts"] for key, arrays in overlaps.items()},
        soft_dice={key: arrays["soft_dice"] for key, arrays in overlaps.items()},
        norm=norm,
        flipped=flipped,
        examples=examples,
    )
