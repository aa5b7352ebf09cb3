"""The networks of the bundles on one split of a data set, and where what was measured on them is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose
from torch import Tensor, nn
from tqdm import tqdm

import monai_advdefense
from experiments.artefact import Artefact
from experiments.measurement import Arrays, evenly_spaced, measure
from experiments.settings import SELECTIVE_STEPS, AttackSetting, attacked, attacked_by_insider
from monai_advdefense.data import SliceDataset, malc2012_datalist
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.weights import file_sha256, load_weights

__all__ = ["Network", "SplitMeasurements"]

# The attacker who knows the guard costs as much as eight other attacks: only each second of the attacked slices.
EVERY = 2


@dataclass(frozen=True)
class Network:
    """A network with its weights, and what tells it from others."""

    network: nn.Module
    sha256: str
    definition: dict[str, Any]
    description: str


@dataclass
class SplitMeasurements:
    """One split of a data set, the networks of the bundles, and what was measured on them.

    Attributes:
        dataset_dir: data in the layout of MALC 2012.
        split: name of the split.
        bundles: folder of the bundles.
        work_dir: folder of the measurements; one that is there is not made again.
        slices: attacked slices of each volume, evenly spaced among those that are not blank.
        seed: seed of random targets and noise.
    """

    dataset_dir: Path
    split: str
    bundles: Path
    work_dir: Path
    slices: int
    seed: int

    @cached_property
    def config(self) -> ConfigParser:
        """Training configuration of the segmentation bundle."""
        return self.parser("train")

    @cached_property
    def cases(self) -> list[dict[str, str]]:
        """Cases of the split."""
        return malc2012_datalist(self.dataset_dir, self.split)

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """All slices of the split that are not blank; loaded only if something must be computed."""
        transform = Compose(self.config.get_parsed_content("volume_transforms"))
        items: list[dict[str, Any]] = SliceDataset(self.cases, transform).data
        return items

    def parser(self, *configs: str) -> ConfigParser:
        """Configuration of the segmentation bundle, overlays included."""
        folder = self.bundles / "brain_mri_segmentation"
        files = [folder / "configs" / f"{name}.json" for name in configs]
        for file in files:
            if not file.is_file():
                raise InputError(f"{file}: expected the configuration of a bundle, found no such file: check --bundles")
        parser = ConfigParser(ConfigParser.load_config_files(files))
        parser.update({"bundle_root": str(folder), "dataset_dir": str(self.dataset_dir)})
        return parser

    def segmenter(self, overlay: tuple[str, ...]) -> Network | None:
        """A segmenter of the segmentation bundle, None without weights."""
        parser = self.parser("train", *overlay)
        network = _load(parser, Path(parser.get_parsed_content("ckpt_path")))
        return network and replace(network, description=f"{network.description}, {parser['epochs']} epochs")

    @cached_property
    def guard(self) -> Network | None:
        """The composite, None without weights."""
        folder = self.bundles / "brain_mri_defended_segmentation"
        parser = ConfigParser(ConfigParser.load_config_file(folder / "configs" / "inference.json"))
        return _load(parser, folder / "models" / "model.pt", require_calibrated=True)

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
            "preprocessing": self.config["volume_transforms"],
            **others,
        }

    def clean(self, name: str, network: Network) -> Arrays:
        """Measure a segmenter, or the guard, on all clean slices; ``score`` is that of the guard in use."""
        guard = network.network if isinstance(network.network, DefendedSegmenter) else None
        segmenter = guard.segmenter if guard is not None else network.network
        artefact = Artefact(self.work_dir, f"clean_{name}", self.facts(network))
        measured = artefact.arrays(
            lambda: measure(self.items, segmenter, num_classes=self.num_classes, guard=guard, description=name)
        )
        return measured if guard is None else measured | {"score": measured[guard.decision.name]}

    def attacked_rows(self, clean: Arrays) -> list[int]:
        """Places of the attacked slices among all slices, given what was measured on these."""
        rows = []
        for volume in np.unique(clean["volume"]):
            places = np.flatnonzero(clean["volume"] == volume)
            rows += [int(row) for row in places[evenly_spaced(len(places), self.slices)]]
        return rows

    def attacks(
        self, network: Network, clean: Arrays, settings: Sequence[AttackSetting]
    ) -> Iterator[tuple[AttackSetting, Arrays, Arrays]]:
        """Measure the guard under attacks: each setting with the clean slices that it attacks, and the attacked ones.

        What takes its norm from another attack comes after that in ``settings``.
        """
        rows = self.attacked_rows(clean)
        norms: dict[tuple[str, float, str], Tensor] = {}
        for setting in tqdm(settings, "attacks"):
            key = (setting.target, setting.strength, setting.support)
            norm, every = norms.get(key) if setting.form == "noise" else None, 1
            if setting.form == "selective_pgd":
                norm, every = norms["A", 1.0, "brain"][::EVERY], EVERY
            measured = self._attack(network, setting, rows[::every], norm)
            if setting.form == "dag":
                norms[key] = torch.from_numpy(measured["norm"])
            yield setting, {name: values[rows[::every]] for name, values in clean.items()}, measured

    def _attack(self, network: Network, setting: AttackSetting, rows: list[int], norm: Tensor | None) -> Arrays:
        """Measure the guard on attacked slices, whose places among all slices are ``rows``."""
        guard = cast(DefendedSegmenter, network.network)
        # The same draws at every strength, so that strengths can be compared.
        generator = torch.Generator().manual_seed(self.seed)

        def change(image: Tensor, label: Tensor, places: slice) -> tuple[Tensor, Tensor, Tensor]:
            aim = None if norm is None else norm[places]
            if setting.form == "selective_pgd" and aim is not None:
                radius = setting.strength * aim
                return attacked_by_insider(guard, image, label, radius=radius, steps=SELECTIVE_STEPS)
            options: dict[str, Any] = {"num_classes": self.num_classes, "generator": generator, "norm": aim}
            return attacked(guard.segmenter, image, label, setting=setting, **options)

        def compute() -> Arrays:
            items = [self.items[row] for row in rows]
            options: dict[str, Any] = {"num_classes": self.num_classes, "guard": guard, "attack": change}
            return measure(items, guard.segmenter, description=setting.name, **options)

        facts = self.facts(network, setting=asdict(setting), slices=self.slices, seed=self.seed)
        if setting.form == "selective_pgd":
            facts |= {"score": guard.decision.name, "loss": "dice"}
        measured = Artefact(self.work_dir, setting.name, facts).arrays(compute)
        return measured | {"score": measured[guard.decision.name]}


def _load(parser: ConfigParser, weights: Path, *, require_calibrated: bool = False) -> Network | None:
    """The network of a configuration in evaluation mode, None if there is no weights file."""
    if not weights.is_file():
        return None
    network = parser.get_parsed_content("network").eval()
    load_weights(weights, network, require_calibrated=require_calibrated)
    definition = parser["network_def"]
    return Network(network, file_sha256(weights), definition, _describe(network, definition))


def _describe(network: nn.Module, definition: dict[str, Any]) -> str:
    """Class, widths and number of parameters of a network and of its parts."""
    parts = {name: value for name, value in definition.items() if isinstance(value, dict)}
    if len(parts) > 1:
        described = (f"{name} {_describe(network.get_submodule(name), part)}" for name, part in parts.items())
        return "; ".join(described)
    core = next(iter(parts.values()), definition)
    widths = core.get("features") or core.get("down_blocks") or []
    count = sum(parameter.numel() for parameter in network.parameters())
    return f"{core['_target_'].rpartition('.')[2]} {'-'.join(map(str, widths))} ({count / 1e6:.2f} M parameters)"
