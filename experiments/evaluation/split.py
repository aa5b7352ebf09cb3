"""What is measured of the bundles' networks on one split of a data set, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor
from tqdm import tqdm

import monai_advdefense
from experiments.artefact import Arrays, Artefact
from experiments.attacks import INFORMED, AttackSetting
from experiments.bundles import spelled_out
from experiments.evaluation.networks import Network, segmenter_config
from experiments.measure import craft, guarded, overlaps
from experiments.slices import Slices, evenly_spaced, load_slices
from monai_advdefense.checksums import file_sha256
from monai_advdefense.data import malc2012_datalist
from monai_advdefense.guard import DefendedSegmenter

# The informed attacker costs as much as eight other attacks: only each second of the attacked slices.
EVERY = 2


@dataclass
class Split:
    """One split of a data set, and what was measured on it; what is in ``work_dir`` is not made again.

    Attacked are ``count`` slices of each volume, evenly spaced among those that are not blank.
    """

    dataset_dir: Path
    name: str
    bundles: Path
    work_dir: Path
    count: int
    seed: int

    @cached_property
    def config(self) -> ConfigParser:
        """Training configuration of the segmentation bundle."""
        return segmenter_config(self.bundles, self.dataset_dir)

    @cached_property
    def cases(self) -> list[dict[str, str]]:
        """Cases of the split."""
        return malc2012_datalist(self.dataset_dir, self.name)

    @cached_property
    def slices(self) -> Slices:
        """All slices of the split; loaded only if something must be computed."""
        return load_slices(self.config, self.dataset_dir, self.name)

    @property
    def num_classes(self) -> int:
        """Number of classes, background included."""
        return int(self.config.get_parsed_content("num_classes"))

    @cached_property
    def data(self) -> dict[str, str]:
        """What tells one data set from another: a checksum of every file."""
        cases = [Path(case[key]) for case in self.cases for key in ("image", "label")]
        tables = [self.dataset_dir / name for name in ("classes.csv", "subjects.csv")]
        return {path.relative_to(self.dataset_dir).as_posix(): file_sha256(path) for path in [*cases, *tables]}

    def facts(self, network: Network, **others: Any) -> dict[str, Any]:
        """All that a measurement depends on."""
        return {
            "version": monai_advdefense.__version__,
            "weights": network.sha256,
            "network": network.definition,
            "data": self.data,
            "preprocessing": spelled_out(self.config.config, self.config["train#preprocessing"]),
            **others,
        }

    def clean(self, name: str, network: Network) -> Arrays:
        """Measure a segmenter, or the guard, on all clean slices; ``score`` is that of the guard in use."""

        def compute() -> Arrays:
            image, label, classes = self.slices.image, self.slices.label, self.num_classes
            if isinstance(network.network, DefendedSegmenter):
                found = guarded(network.network, image, label, num_classes=classes, description=name)
            else:
                found = {"plain": overlaps(network.network, image, label, num_classes=classes)["counts"]}
            return found | self.slices.places()

        return self._kept(f"clean_{name}", network, compute)

    def attacks(
        self, network: Network, clean: Arrays, settings: Sequence[AttackSetting]
    ) -> Iterator[tuple[AttackSetting, Arrays, Arrays]]:
        """Measure the guard under attacks: each setting with the clean slices that it attacks, and the attacked ones.

        What takes its norm from another attack comes after that in ``settings``.
        """
        norms: dict[AttackSetting, Tensor] = {}
        for setting in tqdm(settings, "attacks"):
            every = EVERY if setting.form == INFORMED else 1
            rows = evenly_spaced(clean["volume"], self.count)[::every]
            norm = None if setting.normed_by is None else norms[setting.normed_by][::every]
            measured = self._attacked(network, setting, rows, norm)
            norms[setting] = torch.from_numpy(measured["norm"])
            yield setting, {name: values[rows] for name, values in clean.items()}, measured

    def _attacked(self, network: Network, setting: AttackSetting, rows: list[int], norm: Tensor | None) -> Arrays:
        """Measure the guard on attacked slices, whose places among all slices are ``rows``."""
        guard, facts = network.guard, {"setting": asdict(setting), "slices": self.count, "seed": self.seed}
        if setting.form == INFORMED:
            facts |= {"score": guard.decision.name, "loss": "dice"}

        def compute() -> Arrays:
            slices, classes = self.slices.at(rows), self.num_classes
            target = guard if setting.form == INFORMED else guard.segmenter
            options: dict[str, Any] = {"setting": setting, "num_classes": classes, "seed": self.seed, "norm": norm}
            crafted = craft(target, slices.image, slices.label, **options)
            found = guarded(guard, torch.from_numpy(crafted.pop("image")), slices.label, num_classes=classes)
            return crafted | found | slices.places()

        return self._kept(setting.name, network, compute, **facts)

    def _kept(self, name: str, network: Network, compute: Callable[[], Arrays], **facts: Any) -> Arrays:
        """What was measured, with the score in use where there is a guard."""
        found = Artefact(self.work_dir, name, self.facts(network, **facts), compute).arrays()
        if isinstance(network.network, DefendedSegmenter):
            found["score"] = found[network.network.decision.name]
        return found
