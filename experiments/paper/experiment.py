"""The experiments of the paper as artefacts, and the tasks that make them."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose
from torch import Tensor, nn

from experiments.artefact import Artefact
from experiments.measurement import Arrays, evenly_spaced
from experiments.paper import measuring
from experiments.paper.attacks import GUARDS, attack_settings, baseline_attack_settings
from experiments.paper.baseline_trainings import baseline_trainings
from experiments.paper.presets import Preset
from experiments.paper.results import CLEAN, FALSE_POSITIVE_RATE, NO_REFORMER
from experiments.paper.training import configuration, is_trained, load, train, weights
from experiments.paper.trainings import DETECTORS, TARGETS, trainings
from experiments.settings import EPSILON, PGD_STEP_SIZE, PGD_STEPS, AttackSetting
from monai_advdefense.data import SliceDataset, malc2012_datalist
from monai_advdefense.guard import CombinedDecision, DefendedSegmenter, ReconstructionDetector
from monai_advdefense.guard.calibration import standardization, threshold_at_false_positive_rate
from monai_advdefense.weights import file_sha256

__all__ = ["CALIBRATION", "Experiment"]

CALIBRATION = "calibration"


class Experiment:
    """All artefacts of one preset on one data set; nothing is computed before it is asked for.

    Args:
        preset: sizes.
        dataset_dir: data in the layout of MALC 2012.
        work_dir: folder of the artefacts; artefacts of other presets may lie there too.
        bundles: folder of the bundles, whose training configurations are used.
        seed: seed of trainings, random targets and noise.
    """

    def __init__(self, preset: Preset, dataset_dir: Path, work_dir: Path, bundles: Path, seed: int) -> None:
        self.preset = preset
        self.dataset_dir = dataset_dir
        self.work_dir = work_dir
        self.bundles = bundles
        self.seed = seed
        networks = baseline_trainings(preset, seed) if preset.gan else trainings(preset, seed)
        attacks = baseline_attack_settings() if preset.gan else attack_settings(preset)
        self.trainings = {(training.role, training.name): training for training in networks}
        self.settings = {setting.name: setting for setting in attacks}

    # What there is

    @cached_property
    def data(self) -> dict[str, Any]:
        """What tells one data set from another."""
        files = [
            (path.relative_to(self.dataset_dir).as_posix(), file_sha256(path))
            for folder in ("images", "labels")
            for path in sorted((self.dataset_dir / folder).glob("*.nii*"))
        ]
        return {
            "files": files,
            **{name: file_sha256(self.dataset_dir / name) for name in ("subjects.csv", "classes.csv")},
        }

    @cache  # noqa: B019 - as many as there are networks, and one experiment in a process
    def network(self, role: str, name: str) -> Artefact:
        """A trained network."""
        training = self.trainings[role, name]
        settings: dict[str, Any] = {"config": configuration(training, self.bundles), "data": self.data}
        if training.teacher:
            settings["teacher"] = self.network("target", training.teacher).digest
        return Artefact(self.work_dir / "networks", f"{role} {name}", settings)

    def slices(self, split: str) -> dict[str, Any]:
        """Settings of the clean slices of a split."""
        transforms = configuration(self.trainings["target", TARGETS[0]], self.bundles)["volume_transforms"]
        count = self.preset.slices if split == "test" else None
        return {"data": self.data, "split": split, "slices": count, "transforms": transforms}

    def attack(self, target: str, name: str) -> Artefact:
        """Attacked slices of the test split."""
        setting = self.settings[name]
        settings = {
            "setting": asdict(setting),
            "slices": self.slices("test"),
            "seed": self.seed,
            "target": self.network("target", target).digest,
        }
        if setting.form in ("fgsm", "pgd"):
            settings |= {"epsilon": EPSILON, "steps": PGD_STEPS, "step_size": PGD_STEP_SIZE}
        if setting.form in ("noise", "selective_pgd"):
            settings["norm"] = self.attack(target, self.norm_of(setting)).digest
        if setting.form == "selective_pgd":
            detector, reformer, combine = GUARDS[setting.target]
            parts = [self.scores(detector, target, CALIBRATION), self.network("reformer", reformer)]
            if combine:
                parts.append(self.divergence(target, CALIBRATION))
            settings["guard"] = [part.digest for part in parts]
            settings |= {"steps": self.preset.pgd_steps, "loss": "dice", "false_positive_rate": FALSE_POSITIVE_RATE}
        return Artefact(self.work_dir / "attacks", f"{target} {name}", settings)

    def norm_of(self, setting: AttackSetting) -> str:
        """Name of the attack whose norm another one takes."""
        if setting.form == "noise":
            return AttackSetting("dag", setting.target, setting.strength, setting.support).name
        return AttackSetting("dag", "A", 1.0, "brain").name

    def images(self, target: str, name: str) -> str | dict[str, Any]:
        """What a measurement on slices depends on: clean test or calibration slices, or attacked ones."""
        if name == CLEAN:
            return self.slices("test")
        return self.slices(CALIBRATION) if name == CALIBRATION else self.attack(target, name).digest

    def scores(self, detector: str, target: str, name: str) -> Artefact:
        """Scores of a detector; those of clean slices do not depend on the target network."""
        settings = {"detector": self.network("detector", detector).digest, "images": self.images(target, name)}
        owner = "" if name in (CLEAN, CALIBRATION) else f" {target}"
        return Artefact(self.work_dir / "scores", f"{detector}{owner} {name}", settings)

    def divergence(self, target: str, name: str) -> Artefact:
        """Divergence scores of a target network behind the denoiser."""
        parts = [self.network("target", target).digest, self.network("reformer", "UNet denoiser").digest]
        settings = {"networks": parts, "images": self.images(target, name)}
        return Artefact(self.work_dir / "scores", f"divergence {target} {name}", settings)

    def overlaps(self, reformer: str, target: str, name: str) -> Artefact:
        """Overlap of the predictions with the labels."""
        parts = [self.network("target", target).digest]
        if reformer != NO_REFORMER:
            parts.append(self.network("reformer", reformer).digest)
        settings = {"networks": parts, "images": self.images(target, name), "slices": self.slices("test")}
        return Artefact(self.work_dir / "overlaps", f"{target} {reformer} {name}", settings)

    # How it is made

    def train(self, role: str, name: str) -> None:
        """Train a network."""
        training, paths = self.trainings[role, name], {"dataset_dir": str(self.dataset_dir)}
        if training.teacher:
            paths["teacher_path"] = str(weights(self.network("target", training.teacher)))
        train(training, self.network(role, name), self.bundles, paths)

    def is_trained(self, role: str, name: str) -> bool:
        """Whether a network is trained."""
        return is_trained(self.network(role, name))

    def load(self, role: str, name: str) -> nn.Module:
        """A trained network, in evaluation mode."""
        return load(self.trainings[role, name], self.network(role, name), self.bundles)

    @cache  # noqa: B019
    def detector(self, name: str) -> ReconstructionDetector:
        """A trained detector without a threshold."""
        network = self.load("detector", name)
        if isinstance(network, ReconstructionDetector):
            return network
        return ReconstructionDetector(cast(nn.Module, network.network), domain=DETECTORS[name][1]).eval()

    @cache  # noqa: B019
    def items(self, split: str) -> tuple[dict[str, Any], ...]:
        """Clean slices of a split."""
        facts = self.slices(split)
        parser = ConfigParser({**configuration(self.trainings["target", TARGETS[0]], self.bundles)})
        parser.update({"dataset_dir": str(self.dataset_dir)})
        transform = Compose(parser.get_parsed_content("volume_transforms"))
        items = SliceDataset(malc2012_datalist(self.dataset_dir, split), transform).data
        if facts["slices"] is None:
            return tuple(items)
        volumes: dict[int, list[dict[str, Any]]] = {}
        for item in items:
            volumes.setdefault(item["volume"], []).append(item)
        return tuple(v[i] for v in volumes.values() for i in evenly_spaced(len(v), facts["slices"]))

    def clean(self, split: str) -> tuple[Tensor, Tensor]:
        """Clean slices ``(N, 1, H, W)`` of a split and their labels ``(N, H, W)``."""
        items = self.items(split)
        image = torch.stack([item["image"] for item in items]).float()
        return image, torch.stack([item["label"] for item in items])[:, 0].long()

    def pixels(self, target: str, name: str) -> Tensor:
        """Slices ``(N, 1, H, W)``, clean or attacked."""
        if name in (CLEAN, CALIBRATION):
            return self.clean("test" if name == CLEAN else name)[0]
        return torch.from_numpy(self.attack(target, name).load()["image"])

    def guard(self, target: str, name: str) -> DefendedSegmenter:
        """A guard in front of a target network, calibrated on the calibration split."""
        detector, reformer, combine = GUARDS[name]
        parts = self.detector(detector), self.load("reformer", reformer), self.load("target", target)
        guard = DefendedSegmenter(*parts, decision=CombinedDecision() if combine else None).eval()
        spectral = self.scores(detector, target, CALIBRATION).load()["score"]
        if combine:
            both = np.stack([spectral, self.divergence(target, CALIBRATION).load()["score"]], axis=1)
            center, scale = standardization(both)
            guard.decision.center.copy_(torch.from_numpy(center))
            guard.decision.scale.copy_(torch.from_numpy(scale))
            spectral = ((both - center) / scale).sum(axis=1)
        guard.threshold.fill_(threshold_at_false_positive_rate(spectral, FALSE_POSITIVE_RATE))
        return guard.to(next(parts[2].parameters()).device)

    def craft(self, target: str, name: str) -> Arrays:
        """Attack the test slices."""
        setting = self.settings[name]
        image, label = self.clean("test")
        norm = None
        if setting.form in ("noise", "selective_pgd"):
            norm = torch.from_numpy(self.attack(target, self.norm_of(setting)).load()["norm"])
        if setting.form == "selective_pgd" and norm is not None:
            radius = setting.strength * norm
            guard = self.guard(target, setting.target)
            return measuring.craft_selective(guard, image, label, radius=radius, steps=self.preset.pgd_steps)
        return measuring.craft(
            self.load("target", target),
            image,
            label,
            setting=setting,
            num_classes=self.preset.num_classes,
            seed=self.seed,
            norm=norm,
        )

    def measure_scores(self, detector: str, target: str, name: str) -> Arrays:
        """Score slices with a detector."""
        return measuring.scores(self.detector(detector), self.pixels(target, name))

    def measure_divergence(self, target: str, name: str) -> Arrays:
        """Score slices by the divergence of the predictions."""
        networks = self.load("target", target), self.load("reformer", "UNet denoiser")
        return measuring.divergence(*networks, self.pixels(target, name))

    def measure_overlaps(self, reformer: str, target: str, name: str) -> Arrays:
        """Segment slices and compare with the labels."""
        behind = None if reformer == NO_REFORMER else self.load("reformer", reformer)
        label = self.clean("test")[1]
        network = self.load("target", target)
        return measuring.overlaps(network, behind, self.pixels(target, name), label, self.preset.num_classes)
