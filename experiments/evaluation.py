"""Compute the figures of the project on the test split and write them as CSV and Markdown."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from tqdm import tqdm

from experiments.figures import attack_figures, detection_figures, guard_figures, segmenter_figures
from experiments.page import claims, render, write_rows
from experiments.settings import AttackSetting, attack_settings, corruption_settings
from experiments.split_measurements import SplitMeasurements
from monai_advdefense.data import malc2012_classes
from monai_advdefense.errors import InputError, exit_on_error
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.metrics import Interval

__all__ = ["evaluate", "main"]

BUNDLES = Path(__file__).parents[1] / "bundles"
SEGMENTERS = {"UNet": (), "SegNet": ("segnet",), "DenseNet": ("densenet",)}


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
        work_dir: folder of the measurements; by default ``eval/results`` of the composite bundle.
        slices: attacked slices of each volume, evenly spaced among those that are not blank.
        output: the Markdown file; its tables lie as CSV in the folder of the same name without ``.md``.
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
    run = SplitMeasurements(Path(dataset_dir), "test", Path(bundles), work, slices, seed)
    facts = {
        "command": f"python -m experiments.evaluation --dataset_dir {run.dataset_dir.name} "
        f"--slices {slices} --seed {seed} --resamples {resamples}",
        "date": datetime.date.today().isoformat(),
        "volumes": str(len(run.cases)),
        "subjects": str(len({case["subject"] for case in run.cases})),
        "slices": str(slices),
        "seed": str(seed),
        "training_seed": str(run.config["seed"]),
        "resamples": str(resamples),
    }
    segmenters = _segmenter_rows(run, resamples)
    guard, measured = _guard_rows(run, facts, resamples)
    attacks = [row for row in measured if row["form"] != "corruption"]
    choice = _choice_rows(replace(run, split="validation"), resamples)
    target = Path(output)
    folder = target.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "choice": choice,
        "segmenters": segmenters,
        "guard": guard,
        "attacks": attacks,
        "corruptions": [row for row in measured if row["form"] == "corruption"],
        "claims": claims(segmenters, guard, attacks),
        "facts": [facts],
    }
    for name, rows in tables.items():
        write_rows(folder / f"{name}.csv", rows)
    target.write_text(render(folder), encoding="utf-8")
    return target


def _segmenter_rows(run: SplitMeasurements, resamples: int) -> list[dict[str, str]]:
    """One row for each network and structure, "mean" first."""
    rows = []
    names = malc2012_classes(run.dataset_dir)[1:]
    networks = {name: run.segmenter(overlay) for name, overlay in SEGMENTERS.items()}
    for name, network in {**networks, "segmenter in the guard": run.guard}.items():
        if network is None:
            rows.append({"network": name, "structure": "mean", "size": "not trained"})
            continue
        mean, structures = segmenter_figures(run.clean(name.replace(" ", "_"), network), resamples)
        rows.append({"network": name, "structure": "mean", "size": network.description, **_columns({"dice": mean})})
        rows += [
            {"network": name, "structure": structure, "size": network.description, **_columns({"dice": figure})}
            for structure, figure in zip(names, structures, strict=True)
        ]
    return rows


def _guard_rows(
    run: SplitMeasurements, facts: dict[str, str], resamples: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The row of the guard on clean slices, and one row for each attack and accident."""
    network, settings = run.guard, [*attack_settings(), *corruption_settings()]
    if network is None:
        return [{"size": "not trained"}], [{**_texts(setting), "size": "not trained"} for setting in settings]
    guard = cast(DefendedSegmenter, network.network)
    threshold = float(guard.threshold)
    clean = run.clean("segmenter_in_the_guard", network)
    attacked_slices = len(run.attacked_rows(clean))
    score = guard.decision.name
    facts |= {
        "clean_slices": str(len(clean["score"])),
        "attacked_slices": str(attacked_slices),
        "size": network.description,
        "score": score,
    }
    attacks: list[dict[str, str]] = []
    for setting, compared, measured in run.attacks(network, clean, settings):
        figures = attack_figures(compared, measured, threshold, resamples)
        auc, dice = figures[f"auc_{score}"].estimate, figures["dice_attacked"].estimate
        tqdm.write(f"{setting.name}: ROC-AUC {auc:.3f}, Dice {dice:.3f}")
        attacks.append({**_texts(setting), "size": network.description, **_columns(figures)})
    row = {"size": network.description, "threshold": f"{threshold:.6g}"}
    return [row | _columns(guard_figures(clean, threshold, resamples))], attacks


def _choice_rows(run: SplitMeasurements, resamples: int) -> list[dict[str, str]]:
    """One row for each brain-only attack of the paper on the split that the score in use is chosen by."""
    settings = [s for s in attack_settings() if (s.form, s.support) == ("dag", "brain")]
    network = run.guard
    if network is None:
        return [{**_texts(setting), "size": "not trained"} for setting in settings]
    clean = run.clean("guard_on_validation", network)
    return [
        {
            **_texts(setting),
            "slices": str(len(measured["score"])),
            **_columns(detection_figures(compared, measured, resamples)),
        }
        for setting, compared, measured in run.attacks(network, clean, settings)
    ]


def _texts(setting: AttackSetting) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(setting).items()}


def _columns(figures: dict[str, Interval]) -> dict[str, str]:
    """Three columns for each figure: estimate, lower and upper end."""
    return {
        name + suffix: f"{value:.6g}"
        for name, figure in figures.items()
        for suffix, value in (("", figure.estimate), ("_low", figure.low), ("_high", figure.high))
    }


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the figures on the test split and write them as CSV and Markdown."""
    parser = argparse.ArgumentParser(prog="python -m experiments.evaluation", description=main.__doc__)
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
