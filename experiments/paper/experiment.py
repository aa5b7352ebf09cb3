"""The experiments of the paper as artefacts, each with how it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from experiments.artefact import Arrays, Artefact
from experiments.attacks import (
    EPSILON,
    INFORMED,
    PGD_STEP_SIZE,
    PGD_STEPS,
    AttackSetting,
    attack_settings,
    baseline_attack_settings,
)
from experiments.bundles import spelled_out
from experiments.measure import craft, divergence, overlaps, scores
from experiments.paper import training
from experiments.paper.baseline_networks import baseline_networks
from experiments.paper.names import CALIBRATION, DETECTORS, FALSE_POSITIVE_RATE, GUARDS, NO_REFORMER, TARGETS
from experiments.paper.networks import Training, paper_networks
from experiments.paper.presets import Preset
from experiments.slices import Slices, evenly_spaced, load_slices
from experiments.tables import CLEAN
from monai_advdefense.checksums import file_sha256
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector
from monai_advdefense.guard.calibration import standardization, threshold_at_false_positive_rate

_SPLITS = {CLEAN: "test", CALIBRATION: CALIBRATION}
"""Where slices that nobody attacked are from."""


@dataclass(eq=False)
class Experiment:
    """All artefacts of one preset on one data set; nothing is computed before it is asked for.

    Artefacts of other presets may lie in ``work_dir`` too. ``seed`` is that of trainings, random targets and noise.
    """

    preset: Preset
    dataset_dir: Path
    work_dir: Path
    bundles: Path
    seed: int

    @cached_property
    def trainings(self) -> dict[tuple[str, str], Training]:
        """The networks, by role and name."""
        networks = (baseline_networks if self.preset.gan else paper_networks)(self.preset, self.seed)
        return {(network.role, network.name): network for network in networks}

    @cached_property
    def settings(self) -> dict[str, AttackSetting]:
        """The attacks on each target network, by name."""
        strengths = self.preset.strengths
        paper = attack_settings(strengths=strengths, whole=strengths, guards=GUARDS)
        return {setting.name: setting for setting in (baseline_attack_settings() if self.preset.gan else paper)}

    # Data

    @cached_property
    def data(self) -> dict[str, Any]:
        """What tells one data set from another."""
        paths = [path for name in ("images", "labels") for path in sorted((self.dataset_dir / name).glob("*.nii*"))]
        return {
            "files": [(path.relative_to(self.dataset_dir).as_posix(), file_sha256(path)) for path in paths],
            **{name: file_sha256(self.dataset_dir / name) for name in ("subjects.csv", "classes.csv")},
        }

    @cache  # noqa: B019 - as many as there are splits, and one experiment in a process
    def slice_settings(self, split: str) -> dict[str, Any]:
        """What the clean slices of a split depend on."""
        config = training.configuration(self.trainings["target", TARGETS[0]], self.bundles)
        transforms = spelled_out(config, config["train"]["preprocessing"])
        count = self.preset.slices if split == "test" else None
        return {"data": self.data, "split": split, "slices": count, "transforms": transforms}

    @cache  # noqa: B019
    def slices(self, split: str) -> Slices:
        """Clean slices of a split."""
        parser = ConfigParser(training.configuration(self.trainings["target", TARGETS[0]], self.bundles))
        parser.update({"dataset_dir": str(self.dataset_dir)})
        found, count = load_slices(parser, self.dataset_dir, split), self.slice_settings(split)["slices"]
        return found if count is None else found.at(evenly_spaced(found.volume, count))

    def images(self, target: str, name: str) -> Tensor:
        """Slices ``(N, 1, H, W)``, clean or attacked."""
        if name in _SPLITS:
            return self.slices(_SPLITS[name]).image
        return torch.from_numpy(self.attack(target, name).load()["image"])

    def image_settings(self, target: str, name: str) -> str | dict[str, Any]:
        """What slices depend on: clean test or calibration slices, or attacked ones."""
        return self.slice_settings(_SPLITS[name]) if name in _SPLITS else self.attack(target, name).digest

    # Networks

    @cache  # noqa: B019
    def network(self, role: str, name: str) -> Artefact:
        """A trained network; :meth:`train` makes it."""
        facts = self.trainings[role, name]
        settings: dict[str, Any] = {"config": training.configuration(facts, self.bundles), "data": self.data}
        if facts.teacher:
            settings["teacher"] = self.network("target", facts.teacher).digest
        return Artefact(self.work_dir / "networks", f"{role} {name}", settings)

    def train(self, role: str, name: str) -> None:
        """Train a network."""
        facts, paths = self.trainings[role, name], {"dataset_dir": str(self.dataset_dir)}
        if facts.teacher:
            paths["teacher_path"] = str(training.weights(self.network("target", facts.teacher)))
        training.train(facts, self.network(role, name), self.bundles, paths)

    @cache  # noqa: B019
    def load(self, role: str, name: str) -> nn.Module:
        """A trained network, in evaluation mode; the same each time, as building it takes longer than using it."""
        return training.load(self.trainings[role, name], self.network(role, name), self.bundles)

    @cache  # noqa: B019
    def detector(self, name: str) -> ReconstructionDetector:
        """A trained detector without a threshold."""
        network = self.load("detector", name)
        if isinstance(network, ReconstructionDetector):
            return network
        return ReconstructionDetector(cast(nn.Module, network.network), domain=DETECTORS[name][1]).eval()

    def guard(self, target: str, name: str) -> DefendedSegmenter:
        """A guard in front of a target network, calibrated on the calibration split."""
        detector, reformer, combine = GUARDS[name]
        parts = self.detector(detector), self.load("reformer", reformer), self.load("target", target)
        guard = DefendedSegmenter(*parts, decision=CombinedDecision() if combine else None).eval()
        score = self.scores(detector, target, CALIBRATION).load()["score"]
        if combine:
            both = np.stack([score, self.divergence(target, CALIBRATION).load()["score"]], axis=1)
            center, scale = standardization(both)
            guard.decision.center.copy_(torch.from_numpy(center))
            guard.decision.scale.copy_(torch.from_numpy(scale))
            score = ((both - center) / scale).sum(axis=1)
        guard.threshold.fill_(threshold_at_false_positive_rate(score, FALSE_POSITIVE_RATE))
        return guard.to(next(parts[2].parameters()).device)

    # Measurements

    def attack(self, target: str, name: str) -> Artefact:
        """Attacked slices of the test split."""
        setting = self.settings[name]
        settings = {
            "setting": asdict(setting),
            "slices": self.slice_settings("test"),
            "seed": self.seed,
            "target": self.network("target", target).digest,
        }
        if setting.form in ("fgsm", "pgd"):
            settings |= {"epsilon": EPSILON, "steps": PGD_STEPS, "step_size": PGD_STEP_SIZE}
        if setting.normed_by is not None:
            settings["norm"] = self.attack(target, setting.normed_by.name).digest
        if setting.form == INFORMED:
            detector, reformer, combine = GUARDS[setting.target]
            parts = [self.scores(detector, target, CALIBRATION), self.network("reformer", reformer)]
            parts += [self.divergence(target, CALIBRATION)] if combine else []
            settings["guard"] = [part.digest for part in parts]
            steps = self.preset.informed_steps
            settings |= {"steps": steps, "loss": "dice", "false_positive_rate": FALSE_POSITIVE_RATE}
        return Artefact(self.work_dir / "attacks", f"{target} {name}", settings, lambda: self._craft(target, name))

    def scores(self, detector: str, target: str, name: str) -> Artefact:
        """Scores of a detector; those of clean slices do not depend on the target network."""
        settings = {"detector": self.network("detector", detector).digest, "images": self.image_settings(target, name)}
        full_name = f"{detector} {name}" if name in _SPLITS else f"{detector} {target} {name}"

        def compute() -> Arrays:
            return scores(self.detector(detector), self.images(target, name))

        return Artefact(self.work_dir / "scores", full_name, settings, compute)

    def divergence(self, target: str, name: str) -> Artefact:
        """Divergence scores of a target network behind the denoiser."""
        parts = ("target", target), ("reformer", "UNet denoiser")
        images = self.image_settings(target, name)
        settings = {"networks": [self.network(*part).digest for part in parts], "images": images}

        def compute() -> Arrays:
            return divergence(self.load(*parts[0]), self.load(*parts[1]), self.images(target, name))

        return Artefact(self.work_dir / "scores", f"divergence {target} {name}", settings, compute)

    def overlaps(self, reformer: str, target: str, name: str) -> Artefact:
        """Overlap of the predictions with the labels."""
        parts = [("target", target), *([] if reformer == NO_REFORMER else [("reformer", reformer)])]
        settings = {
            "networks": [self.network(*part).digest for part in parts],
            "images": self.image_settings(target, name),
            "slices": self.slice_settings("test"),
        }

        def compute() -> Arrays:
            segmenter, *behind = (self.load(*part) for part in parts)
            options: dict[str, Any] = {"num_classes": self.preset.num_classes, "reformer": next(iter(behind), None)}
            return overlaps(segmenter, self.images(target, name), self.slices("test").label, **options)

        return Artefact(self.work_dir / "overlaps", f"{target} {reformer} {name}", settings, compute)

    def _craft(self, target: str, name: str) -> Arrays:
        setting, slices = self.settings[name], self.slices("test")
        options: dict[str, Any] = {"num_classes": self.preset.num_classes, "steps": self.preset.informed_steps}
        if setting.normed_by is not None:
            options["norm"] = torch.from_numpy(self.attack(target, setting.normed_by.name).load()["norm"])
        informed = setting.form == INFORMED
        network = self.guard(target, setting.target) if informed else self.load("target", target)
        return craft(network, slices.image, slices.label, setting=setting, seed=self.seed, **options)
