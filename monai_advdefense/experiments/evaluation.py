"""Compute the figures of the project on the test split and write them as CSV and Markdown."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
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
from monai_advdefense.data import SliceDataset, malc2012_classes, malc2012_datalist
from monai_advdefense.errors import InputError, exit_on_error
from monai_advdefense.experiments.artefact import Artefact
from monai_advdefense.experiments.figures import attack_figures, guard_figures, segmenter_figures
from monai_advdefense.experiments.measurement import Arrays, evenly_spaced, measure
from monai_advdefense.experiments.page import claims, render, write_rows
from monai_advdefense.experiments.settings import (
    SELECTIVE_STEPS,
    AttackSetting,
    attack_settings,
    attacked,
    attacked_by_insider,
)
from monai_advdefense.handlers.weights_loader import load_weights
from monai_advdefense.metrics import Interval
from monai_advdefense.networks import DefendedSegmenter
from monai_advdefense.report.provenance import file_sha256

__all__ = ["evaluate", "main"]

BUNDLES = Path(__file__).parents[2] / "bundles"
# The attacker who knows the guard costs as much as eight other attacks: only each second of the attacked slices.
EVERY = 2
SEGMENTERS = {"UNet": (), "SegNet": ("segnet",), "DenseNet": ("densenet",)}


@dataclass(frozen=True)
class _Network:
    """A network with its weights, and what tells it from others."""

    network: nn.Module
    sha256: str
    description: str


@dataclass
class _Evaluation:
    """The test split, the networks, and where what was measured on them is kept."""

    dataset_dir: Path
    bundles: Path
    work_dir: Path
    slices: int
    seed: int
    resamples: int

    @cached_property
    def config(self) -> ConfigParser:
        """Training configuration of the segmentation bundle."""
        return self.parser("train")

    @cached_property
    def cases(self) -> list[dict[str, str]]:
        """Cases of the test split."""
        return malc2012_datalist(self.dataset_dir, "test")

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """All slices of the test split that are not blank; loaded only if something must be computed."""
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

    def segmenter(self, overlay: tuple[str, ...]) -> _Network | None:
        """A segmenter of the segmentation bundle, None without weights."""
        parser = self.parser("train", *overlay)
        network = _load(parser, Path(parser.get_parsed_content("ckpt_path")))
        return network and replace(network, description=f"{network.description}, {parser['epochs']} epochs")

    @cached_property
    def guard(self) -> _Network | None:
        """The composite, None without weights."""
        folder = self.bundles / "brain_mri_defended_segmentation"
        parser = ConfigParser(ConfigParser.load_config_file(folder / "configs" / "inference.json"))
        return _load(parser, folder / "models" / "model.pt", require_calibrated=True)

    @property
    def num_classes(self) -> int:
        """Number of classes, background included."""
        return int(self.config.get_parsed_content("num_classes"))

    def facts(self, network: _Network, **others: Any) -> dict[str, Any]:
        """All that a measurement depends on."""
        paths = [Path(case[key]) for case in self.cases for key in ("image", "label")]
        return {
            "version": monai_advdefense.__version__,
            "weights": network.sha256,
            "cases": [(path.name, path.stat().st_size) for path in paths],
            "tables": [file_sha256(self.dataset_dir / name) for name in ("classes.csv", "subjects.csv")],
            "preprocessing": self.config["volume_transforms"],
            **others,
        }

    def clean(self, name: str, network: _Network) -> Arrays:
        """Measure a segmenter, or the guard, on all clean slices."""
        guard = network.network if isinstance(network.network, DefendedSegmenter) else None
        segmenter = guard.segmenter if guard is not None else network.network
        artefact = Artefact(self.work_dir, f"clean_{name}", self.facts(network))
        return artefact.arrays(
            lambda: measure(self.items, segmenter, num_classes=self.num_classes, guard=guard, description=name)
        )

    def attack(self, network: _Network, setting: AttackSetting, rows: list[int], norm: Tensor | None) -> Arrays:
        """Measure the guard on attacked slices; ``rows`` are their places among all slices."""
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
        return Artefact(self.work_dir, setting.name, facts).arrays(compute)


def evaluate(
    dataset_dir: str | Path,
    *,
    bundles: str | Path = BUNDLES,
    work_dir: str | Path | None = None,
    slices: int = 12,
    output: str | Path = "docs/results.md",
    seed: int = 0,
    resamples: int = 1000,
) -> Path:
    """Measure segmenters, guard and attacks on the test split.

    What was measured stays in ``work_dir``: a run that was stopped goes on where it was, and a finished one is
    only written again. A changed weights file, setting or data set is measured anew.

    Args:
        dataset_dir: data in the layout of MALC 2012.
        bundles: folder of the bundles; networks without a weights file are listed as "not trained".
        work_dir: folder of the measurements and tables; by default ``eval/results`` of the composite bundle.
        slices: attacked slices of each volume, evenly spaced among those that are not blank.
        output: the Markdown file.
        seed: seed of random targets and noise.
        resamples: number of bootstrap resamples.

    Returns:
        The Markdown file.

    Raises:
        InputError: if a file is missing or an argument is out of range.
        CalibrationError: if the threshold of the composite is not calibrated.
    """
    if slices < 1 or resamples < 1:
        raise InputError(f"slices, resamples: expected 1 or more, found {slices} and {resamples}")
    work = Path(work_dir or Path(bundles) / "brain_mri_defended_segmentation" / "eval" / "results")
    work.mkdir(parents=True, exist_ok=True)
    run = _Evaluation(Path(dataset_dir), Path(bundles), work, slices, seed, resamples)
    facts = {
        "command": f"python -m monai_advdefense.experiments.evaluation --dataset_dir {run.dataset_dir.name} "
        f"--slices {slices} --seed {seed} --resamples {resamples}",
        "date": datetime.date.today().isoformat(),
        "volumes": str(len(run.cases)),
        "subjects": str(len({case["subject"] for case in run.cases})),
        "slices": str(slices),
        "seed": str(seed),
        "training_seed": str(run.config["seed"]),
        "resamples": str(resamples),
    }
    segmenters = _segmenter_rows(run)
    guard, attacks = _guard_rows(run, facts)
    write_rows(work / "segmenters.csv", segmenters)
    write_rows(work / "guard.csv", guard)
    write_rows(work / "attacks.csv", attacks)
    write_rows(work / "claims.csv", claims(segmenters, guard, attacks))
    write_rows(work / "facts.csv", [facts])
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(work), encoding="utf-8")
    return target


def _segmenter_rows(run: _Evaluation) -> list[dict[str, str]]:
    """One row for each network and structure, "mean" first."""
    rows = []
    names = malc2012_classes(run.dataset_dir)[1:]
    networks = {name: run.segmenter(overlay) for name, overlay in SEGMENTERS.items()}
    for name, network in {**networks, "segmenter in the guard": run.guard}.items():
        if network is None:
            rows.append({"network": name, "structure": "mean", "size": "not trained"})
            continue
        mean, structures = segmenter_figures(run.clean(name.replace(" ", "_"), network), run.resamples)
        rows.append({"network": name, "structure": "mean", "size": network.description, **_columns({"dice": mean})})
        rows += [
            {"network": name, "structure": structure, "size": network.description, **_columns({"dice": figure})}
            for structure, figure in zip(names, structures, strict=True)
        ]
    return rows


def _guard_rows(run: _Evaluation, facts: dict[str, str]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The row of the guard on clean slices, and one row for each attack."""
    network, settings = run.guard, attack_settings()
    if network is None:
        return [{"size": "not trained"}], [{**_texts(setting), "size": "not trained"} for setting in settings]
    threshold = float(cast(DefendedSegmenter, network.network).detector.threshold)
    clean = run.clean("segmenter_in_the_guard", network)
    rows = [
        int(row)
        for volume in np.unique(clean["volume"])
        for row in np.flatnonzero(clean["volume"] == volume)[
            evenly_spaced(int((clean["volume"] == volume).sum()), run.slices)
        ]
    ]
    some = {name: values[rows] for name, values in clean.items()}
    facts |= {"clean_slices": str(len(clean["score"])), "attacked_slices": str(len(rows)), "size": network.description}
    guard = {"size": network.description, "threshold": f"{threshold:.6g}"}
    attacks: list[dict[str, str]] = []
    norms: dict[tuple[str, float, str], Tensor] = {}
    for setting in tqdm(settings, "attacks"):
        key = (setting.target, setting.strength, setting.support)
        norm, every = norms.get(key) if setting.form == "noise" else None, 1
        if setting.form == "selective_pgd":
            norm, every = norms["A", 1.0, "brain"][::EVERY], EVERY
        measured = run.attack(network, setting, rows[::every], norm)
        if setting.form == "dag":
            norms[key] = torch.from_numpy(measured["norm"])
        compared = {name: values[::every] for name, values in some.items()}
        figures = attack_figures(compared, measured, threshold, run.resamples)
        tqdm.write(
            f"{setting.name}: ROC-AUC {figures['auc'].estimate:.3f}, Dice {figures['dice_attacked'].estimate:.3f}"
        )
        attacks.append({**_texts(setting), "size": network.description, **_columns(figures)})
    return [guard | _columns(guard_figures(clean, threshold, run.resamples))], attacks


def _texts(setting: AttackSetting) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(setting).items()}


def _columns(figures: dict[str, Interval]) -> dict[str, str]:
    """Three columns for each figure: estimate, lower and upper end."""
    return {
        name + suffix: f"{value:.6g}"
        for name, figure in figures.items()
        for suffix, value in (("", figure.estimate), ("_low", figure.low), ("_high", figure.high))
    }


def _load(parser: ConfigParser, weights: Path, *, require_calibrated: bool = False) -> _Network | None:
    """The network of a configuration in evaluation mode, None if there is no weights file."""
    if not weights.is_file():
        return None
    network = parser.get_parsed_content("network").eval()
    load_weights(weights, network, require_calibrated=require_calibrated)
    return _Network(network, file_sha256(weights), _describe(network, parser["network_def"]))


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


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the figures on the test split and write them as CSV and Markdown."""
    parser = argparse.ArgumentParser(prog="python -m monai_advdefense.experiments.evaluation", description=main.__doc__)
    parser.add_argument("--dataset_dir", required=True, metavar="DIR", help="data in the layout of MALC 2012")
    parser.add_argument("--bundles", default=BUNDLES, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--work_dir", metavar="DIR", help="measurements and tables; kept between runs")
    parser.add_argument("--slices", type=int, default=12, help="attacked slices of each volume")
    parser.add_argument("--output", default="docs/results.md", metavar="FILE", help="the Markdown file")
    parser.add_argument("--seed", type=int, default=0, help="seed of random targets and noise")
    parser.add_argument("--resamples", type=int, default=1000, help="number of bootstrap resamples")
    print(f"wrote {evaluate(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
