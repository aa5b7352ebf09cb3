"""Measure all defences on the test split, and write the table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.bundles import BUNDLES
from experiments.defences.listed import DEFENCES, Defence, submitted
from experiments.defences.page import page, table
from experiments.tables import write_tables
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.robustness import Settings, robustness_report
from monai_advdefense.robustness.bundle import bundle_parts

_COMMAND = "python -m experiments.defences --dataset_dir"


def measure(
    dataset_dir: str | Path,
    *,
    work_dir: str | Path,
    bundles: str | Path = BUNDLES,
    output: str | Path = "docs/defences.md",
    defences: Mapping[str, Defence] = DEFENCES,
    settings: Settings | None = None,
) -> Path:
    """Measure defences and write the page with its CSV.

    Args:
        dataset_dir: data in the layout of MALC 2012.
        work_dir: folder of the reports, one for each defence; a run that was stopped goes on where it was.
        bundles: folder of the bundles.
        output: the Markdown file; its table lies in ``results`` beside it.
        defences: the rows.
        settings: what is measured.

    Returns:
        The Markdown file.

    Raises:
        InputError: if a file is missing.
    """
    files = ("train.json", "evaluate.json")
    given = replace(settings or Settings(slices=12, background=0.0), corruptions=())
    parts = bundle_parts(Path(bundles) / "brain_mri_segmentation", dataset_dir, config_files=files, settings=given)
    reports: dict[str, Any] = {}
    for name, defence in defences.items():
        network = defence(Path(bundles))
        # What rejects is attacked by one who knows its scores; its reformer has a row of its own.
        attacks = parts.settings.attacks[:1] if isinstance(network, DefendedSegmenter) else parts.settings.attacks
        folder = Path(work_dir) / "".join(letter if letter.isalnum() else "_" for letter in name)
        chosen = replace(parts.settings, attacks=attacks)
        reports[name] = robustness_report(network, parts.data, folder, settings=chosen, structures=parts.structures)
    target = Path(output)
    write_tables({"defences": (frame := table(_with_guard(reports)))}, target.parent / "results")
    facts = {**next(iter(reports.values())), "settings": parts.settings.as_json()}
    with atomic_path(target) as temporary:
        command = f"{_COMMAND} {Path(dataset_dir).name}"
        temporary.write_text(page(frame, facts, csv="results/defences.csv", command=command), encoding="utf-8")
    return target


def _with_guard(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Reports in which the Dice of a defence that rejects is that behind its reformer."""
    told: dict[str, Mapping[str, Any]] = {}
    for name, report in reports.items():
        claims = report["claims"]
        if report["guard"]:
            informed = report["guard"]["attacks_that_know_it"][0]["levels"]
            clean = {**claims["clean"], "dice": report["guard"]["clean_behind_reformer"]}
            claims = {"clean": clean, "worst_case": informed}
        told[name] = {**report, "claims": claims}
    return told


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all defences on the test split, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.defences", description=main.__doc__)
    parser.add_argument("--dataset_dir", required=True, metavar="DIR", help="data in the layout of MALC 2012")
    parser.add_argument("--work_dir", default="defences", metavar="DIR", help="measurements; kept between runs")
    parser.add_argument("--bundles", default=BUNDLES, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--output", default="docs/defences.md", metavar="FILE", help="the Markdown file")
    parser.add_argument("--add", action="append", default=[], metavar="NAME=MODULE:FUNCTION", help="a row of your own")
    options = vars(parser.parse_args(arguments))
    rows = {**DEFENCES, **dict(map(submitted, options.pop("add")))}
    print(f"wrote {measure(defences=rows, **options)}")


if __name__ == "__main__":
    main()
