from __future__ import annotations

import numpy as np
import pytest

from experiments.attacks import attack_settings
from experiments.paper.names import GUARDS, NO_REFORMER, PAIRS
from experiments.paper.results import Results
from experiments.tables import CLEAN

TARGETS = ("UNet", "SegNet", "DenseNet")
# How far an attack at full strength moves the scores, in standard deviations of the clean ones.
SHIFTS = {
    "Autoencoder I": 0.2,
    "Autoencoder II": 0.1,
    "UNet image": 1.6,
    "DenseNet image": 1.3,
    "UNet unshifted": 1.0,
    "DenseNet unshifted": 0.9,
    "UNet shifted": 3.2,
    "DenseNet shifted": 2.8,
    "divergence": 4.0,
    "UNet shifted + divergence": 5.0,
}
# Share of the lost Dice that a reformer wins back, and what it costs on clean slices.
REFORMERS = {
    NO_REFORMER: (0.0, 0.0),
    "Autoencoder I": (0.1, 0.2),
    "Autoencoder II": (0.1, 0.15),
    "UNet": (0.5, 0.01),
    "DenseNet": (0.3, 0.02),
    "UNet denoiser": (0.7, 0.02),
}


def counts_of(dice, classes=4):
    """Overlap counts of structures of 100 voxels, each predicted with 100 voxels, with the given Dice of each slice."""
    hits = np.round(100 * np.asarray(dice)).astype(np.int64)
    structure = np.stack([hits, np.full_like(hits, 100), np.full_like(hits, 100)], axis=-1)
    return np.stack([structure] * classes, axis=1)


def make_results(*, targets=TARGETS, shifts=SHIFTS, pairs=PAIRS, strengths=(1.0, 0.5, 0.125), slices=6, subjects=6):
    """Results as a run could give them: attacks raise the scores of detectors and lower the Dice."""
    rng = np.random.default_rng(0)
    settings = {
        setting.name: setting for setting in attack_settings(strengths=strengths, whole=strengths, guards=GUARDS)
    }
    volume = np.repeat(np.arange(subjects + 2), slices)
    subject = np.array([f"subject {number % subjects}" for number in volume])
    habit = rng.normal(0, 0.3, subjects)[volume % subjects]
    power = {CLEAN: 0.0} | {name: _power(setting) for name, setting in settings.items()}
    scores, calibration, counts, soft, norm, flipped, examples = {}, {}, {}, {}, {}, {}, {}
    for target in targets:
        for detector, shift in shifts.items():
            clean = habit + rng.normal(0, 1, volume.size)
            calibration[detector, target] = rng.normal(0, 1, 60)
            for name in power:
                knows = name in settings and settings[name].form == "selective_pgd"
                moved = 0.0 if knows or name == CLEAN else shift * power[name]
                scores[detector, target, name] = clean + moved + rng.normal(0, 0.1, volume.size) * (name != CLEAN)
        best = {"UNet": 0.84, "SegNet": 0.7, "DenseNet": 0.8}.get(target, 0.8)
        for name, strength in power.items():
            noise = name in settings and settings[name].form == "noise"
            lost = 0.0 if noise else best * min(0.95, strength * (1.1 if target == "SegNet" else 0.9))
            for reformer, (back, cost) in REFORMERS.items():
                dice = np.clip(best - cost - (1 - back) * lost + habit / 20 + rng.normal(0, 0.03, volume.size), 0, 1)
                counts[reformer, target, name] = counts_of(dice)
                soft[reformer, target, name] = 0.6 + 0.4 * dice
            if name != CLEAN:
                norm[target, name] = 4.3 * strength + rng.random(volume.size)
                flipped[target, name] = np.full(volume.size, np.nan if noise else 0.9 * strength)
            if name == CLEAN or (settings[name].form == "dag" and settings[name].strength == 1):
                drawn = _example(strength, rng)
                if target == targets[0] and not name.endswith("whole"):
                    examples[CLEAN if name == CLEAN else f"type {settings[name].target}"] = drawn
    facts = {
        "command": "python -m experiments.paper --preset small --dataset_dir malc2012",
        "preset": "small",
        "date": "2026-01-31",
        "seed": "0",
        "sizes": "slices of 96 x 96, UNet 16-16-32-64-128-16, SegNet 8-16-32-64-64, FC-DenseNet56 with growth 4",
        "epochs": "target: UNet 4, SegNet 4; detector: UNet 3",
        "monai_advdefense": "0.1.0",
        "monai": "1.6.1",
        "torch": "2.13.0",
    }
    detectors = tuple(shifts)
    return Results(
        facts, targets, pairs, settings, subject, volume, counts, soft, norm, flipped,
        detectors, scores, calibration, examples,
    )  # fmt: skip


def _power(setting):
    if setting.form == "selective_pgd":
        return min(1.0, 2 * setting.strength)
    return setting.strength * {"A": 1.0, "B": 0.95, "C": 0.6}.get(setting.target, 0.5)


def _example(strength, rng, side=48):
    x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side), indexing="ij")
    radius = np.hypot(x / 0.7, y / 0.85)
    image = np.where(radius < 1, 0.45 + 0.3 * np.cos(9 * radius) * np.cos(5 * x), 0.0)
    return np.clip(image + np.where(radius < 1, 0.06 * strength * rng.normal(size=image.shape), 0), 0, 1)


@pytest.fixture(scope="session")
def results():
    """Results of a small run: two target networks, one strength."""
    return make_results(targets=TARGETS[:2], strengths=(1.0,), slices=3)


@pytest.fixture(scope="session")
def build():
    """Builds results with other targets, detectors, pairs or strengths."""
    return make_results
