"""Measure the shipped screen on the test split and write the page of its figures."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from experiments.arguments import page_parser
from experiments.bundles import BUNDLES
from experiments.evaluation.networks import guard_config
from experiments.pages.markdown import write_page
from experiments.screen.fit import RATE, VOLUME_RATE
from experiments.screen.left_out import left_out_verdicts
from experiments.screen.measured import Measured, kept_in
from experiments.screen.other_organ import other_organ
from experiments.screen.page import page
from experiments.screen.table import screen_table
from experiments.screen.targets import GROUPS
from experiments.tables import Facts
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import exit_on_error

SPLITS = ("train", "validation", "calibration", "test")
RESAMPLES = 1000


def measure_screen(
    dataset_dir: str | Path,
    *,
    bundles: str | Path = BUNDLES,
    work_dir: str | Path | None = None,
    screen: str | Path | None = None,
    overlays: Sequence[str] = (),
    output: str | Path = "docs/screen-results.md",
    kept_only: bool = False,
) -> Path:
    """Measure the screen on the test split, and by leaving subjects out on all splits.

    The arguments are the options of the command. A run that was stopped goes on in ``work_dir``, by default
    ``eval/screen`` of the composite bundle, where another screen of the same networks is judged without measuring all
    again. The tables lie in the folder ``results`` beside ``output``. With an overlay of the composite, such as
    ``adversarial``, one table more is written, to be compared with that of the shipped screen.

    Raises:
        InputError: a file is missing.
        CalibrationError: the screen is not calibrated.
    """
    weights = Path(screen or guard_config(Path(bundles), *overlays).get_parsed_content("screen_path"))
    work = Path(work_dir or kept_in(Path(bundles)))
    test = Measured(Path(dataset_dir), "test", Path(bundles), work, weights, tuple(overlays))
    name = "left_out_verdicts"
    left_out = [] if kept_only and not test.has(name) else test.kept(name, lambda: _left_out(test))
    table = screen_table(test, left_out, resamples=RESAMPLES, kept_only=kept_only)
    target = Path(output)
    if overlays:
        return write_page(target, page, {"_".join(["screen", *overlays]): table}, target.parent / "results")
    tables = {"screen": table, "screen_facts": _facts(test)}
    if test.has("other_organ") or not kept_only:
        accidents = GROUPS["severe accident"]
        found = test.kept("other_organ", lambda: other_organ(Path(bundles), accidents))
        tables["screen_other_organ"] = pd.DataFrame([found])
    return write_page(target, page, tables, target.parent / "results")


def _left_out(test: Measured) -> list[str]:
    splits = [replace(test, split=name) for name in SPLITS]
    cases = [(split, case) for split in splits for case in split.cases]
    volumes = [split.to_fit(case, number) for number, (split, case) in enumerate(cases)]
    return left_out_verdicts(volumes, test.num_classes, false_positive_rate=RATE, volume_rate=VOLUME_RATE)


def _facts(test: Measured) -> Facts:
    screen = test.screen
    reference = screen.reference.reference()
    return {
        "command": f"python -m experiments.screen --dataset_dir {test.dataset_dir.name}",
        "date": datetime.date.today().isoformat(),
        "volumes": str(len(test.cases)),
        "subjects": str(len({case["subject"] for case in test.cases})),
        "seed": "0",
        "resamples": str(RESAMPLES),
        "screen_sha256": file_sha256(test.screen_weights),
        "threshold": f"{float(screen.threshold):.6g}",
        "smallest_area": f"{float(screen.typicality.on_grid.smallest_area):g}",
        "fitted_subjects": str(len(reference.subjects) if reference else 0),
        "predicts_dice": "yes" if screen.dice.predictor() else "no",
    }


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the screen on the test split and write the page of its figures."""
    parser = page_parser("screen", main.__doc__, page="screen-results.md")
    parser.add_argument("--screen", metavar="FILE", help="weights of the screen; by default those of the bundle")
    parser.add_argument(
        "--overlays", nargs="+", default=[], choices=["adversarial"], help="of the composite, whose table the page has"
    )
    parser.add_argument("--kept_only", action="store_true", help="measure nothing, tell of what was measured")
    print(f"wrote {measure_screen(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
