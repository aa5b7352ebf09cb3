"""Compute the figures of the project on the test split and write them as CSV and Markdown."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.arguments import page_parser
from experiments.bundles import BUNDLES
from experiments.evaluation.networks import load_guard
from experiments.evaluation.page import page
from experiments.evaluation.rows import (
    attack_table,
    choice_table,
    claim_table,
    guard_facts,
    guard_table,
    segmenter_table,
)
from experiments.evaluation.split import Split
from experiments.pages.markdown import write_page
from experiments.tables import Facts, select
from monai_advdefense.errors import InputError, exit_on_error


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
    """Measure segmenters, guard and attacks on the test split; the arguments are the options of the command.

    What was measured stays in ``work_dir``, by default ``eval/results`` of the composite bundle: a run that was stopped
    goes on where it was, and a finished one is only written again. A changed weights file, setting or data set is
    measured anew. The tables lie as CSV in the folder ``output`` without ``.md``.

    Raises:
        InputError: if a file is missing or an argument is out of range.
        CalibrationError: if the threshold of the composite is not calibrated.
    """
    if slices < 1 or resamples < 1:
        raise InputError(f"slices, resamples: expected 1 or more, found {slices} and {resamples}")
    work = Path(work_dir or Path(bundles) / "brain_mri_defended_segmentation" / "eval" / "results")
    split = Split(Path(dataset_dir), "test", Path(bundles), work, slices, seed)
    network = load_guard(split.bundles)
    segmenters, guard = segmenter_table(split, network, resamples), guard_table(split, network, resamples)
    measured = attack_table(split, network, resamples)
    attacks = measured[measured["form"] != "corruption"]
    tables = {
        "choice": choice_table(replace(split, name="validation"), network, resamples),
        "segmenters": segmenters,
        "guard": guard,
        "attacks": attacks,
        "corruptions": select(measured, form="corruption"),
        "claims": claim_table(segmenters, guard, attacks),
        "facts": _facts(split, resamples) | guard_facts(split, network),
    }
    return write_page(Path(output), page, tables, Path(output).with_suffix(""))


def _facts(split: Split, resamples: int) -> Facts:
    return {
        "command": f"python -m experiments.evaluation --dataset_dir {split.dataset_dir.name} "
        f"--slices {split.count} --seed {split.seed} --resamples {resamples}",
        "date": datetime.date.today().isoformat(),
        "volumes": str(len(split.cases)),
        "subjects": str(len({case["subject"] for case in split.cases})),
        "slices": str(split.count),
        "seed": str(split.seed),
        "training_seed": str(split.config["seed"]),
        "resamples": str(resamples),
    }


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the figures on the test split and write them as CSV and Markdown."""
    parser = page_parser("evaluation", main.__doc__, page="results.md")
    parser.add_argument("--slices", type=int, default=12, help="attacked slices of each volume")
    parser.add_argument("--seed", type=int, default=0, help="seed of random targets and noise")
    parser.add_argument("--resamples", type=int, default=1000, help="number of bootstrap resamples")
    print(f"wrote {evaluate(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
