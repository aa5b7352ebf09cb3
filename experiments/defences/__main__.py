"""Measure all defences under attackers who know them, and write the table."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.arguments import page_parser
from experiments.bundles import BUNDLES
from experiments.defences.listed import Defence, defences_of, submitted, undefended
from experiments.defences.measured import attack_slices
from experiments.defences.page import page
from experiments.defences.passes import passes
from experiments.defences.rows import RESAMPLES, rows_of
from experiments.defences.threats import THREATS, Threat
from experiments.evaluation.networks import segmenter_config
from experiments.slices import evenly_spaced, load_slices
from experiments.tables import Facts, Row, write_tables
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import InputError, exit_on_error


def measure(
    dataset_dir: str | Path,
    *,
    work_dir: str | Path = "defences",
    bundles: str | Path = BUNDLES,
    output: str | Path = "docs/defences.md",
    defences: Mapping[str, Defence] | None = None,
    threats: Sequence[Threat] = THREATS,
    segmenter: Defence = undefended,
    split: str = "test",
    per_volume: int = 1,
) -> Path:
    """Measure defences and write the page with its tables.

    Args:
        dataset_dir: data in the layout of MALC 2012.
        work_dir: folder of the measurements; a run that was stopped goes on there.
        bundles: folder of the bundles.
        output: the Markdown file; its tables lie in ``results`` beside it.
        defences: the rows, by default those of the bundles.
        threats: kinds of attacks.
        segmenter: without a defence, which some attackers know alone.
        split: of the data set.
        per_volume: slices of each volume.

    Returns:
        The Markdown file.

    Raises:
        InputError: if a file is missing.
    """
    slices = load_slices(segmenter_config(Path(bundles), Path(dataset_dir)), Path(dataset_dir), split)
    slices = slices.at(evenly_spaced(slices.volume, per_volume))
    alone = segmenter(Path(bundles))
    rows: list[Row] = []
    for name, defence in (defences or defences_of(Path(bundles))).items():
        print(f"{name}: {len(slices)} slices", flush=True)
        network = defence(Path(bundles))
        cost = passes(network, alone, slices.image[:1])
        measured = attack_slices(network, slices, threats, undefended=alone, work_dir=Path(work_dir))
        rows += rows_of(name, measured, threats, slices.subject.tolist(), passes=cost)
    facts: Facts = {
        "command": f"python -m experiments.defences --dataset_dir {Path(dataset_dir).name}",
        "date": datetime.date.today().isoformat(),
        "split": split,
        "slices": str(len(slices)),
        "volumes": str(len(np.unique(slices.volume))),
        "subjects": str(len(np.unique(slices.subject))),
        "seed": "0",
        "resamples": str(RESAMPLES),
    }
    target = Path(output)
    write_tables({"defences": pd.DataFrame(rows), "defences_facts": facts}, target.parent / "results")
    with atomic_path(target) as temporary:
        temporary.write_text(page(target.parent / "results", threats), encoding="utf-8")
    return target


def _chosen(rows: Mapping[str, Defence], only: Sequence[str] | None) -> Mapping[str, Defence]:
    unknown = [name for name in only or () if name not in rows]
    if unknown:
        raise InputError(f"--only: expected one of {', '.join(rows)}, found {unknown[0]!r}: name a row, or add it")
    return {name: rows[name] for name in only or rows}


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all defences under attackers who know them, and write the table; takes hours on two cores."""
    parser = page_parser("defences", main.__doc__, page="defences.md")
    parser.set_defaults(work_dir="defences")
    parser.add_argument("--split", default="test", choices=("validation", "calibration", "test"))
    parser.add_argument("--per_volume", type=int, default=1, help="slices of each volume")
    parser.add_argument("--add", action="append", default=[], metavar="NAME=MODULE:FUNCTION", help="a row of your own")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this row, not all; repeatable")
    options = vars(parser.parse_args(arguments))
    rows = {**defences_of(Path(options["bundles"])), **dict(map(submitted, options.pop("add")))}
    only = options.pop("only")
    chosen = _chosen(rows, only)
    if (only or options["split"] != "test") and options["output"] == parser.get_default("output"):
        raise InputError(
            f"--output: expected a file of your own with --only or --split, found {options['output']}, which holds all "
            "rows of the test split: name another"
        )
    print(f"wrote {measure(defences=chosen, **options)}")


if __name__ == "__main__":
    main()
