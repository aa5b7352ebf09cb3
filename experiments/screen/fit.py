"""Fit the screen that is shipped: on all clean volumes but those of the test split, with their labels for the Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.arguments import data_parser
from experiments.bundles import BUNDLES
from experiments.screen.measured import Measured, kept_in
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard.fit_screen import fit_screen
from monai_advdefense.guard.screen import Screen
from monai_advdefense.metrics import dice_from_counts
from monai_advdefense.weights import save_calibrated

FITTED_SPLITS = ("train", "validation", "calibration")
RATE, VOLUME_RATE = 0.03, 0.05


def fit_shipped_screen(
    dataset_dir: str | Path, output: str | Path, *, bundles: str | Path = BUNDLES, work_dir: str | Path | None = None
) -> Path:
    """Fit a screen and write it, with its record beside it.

    The arguments are the options of the command; ``work_dir`` is by default that of ``python -m experiments.screen``.

    Raises:
        InputError: a file is missing.
        CalibrationError: there are too few subjects.
    """
    target, work = Path(output), Path(work_dir or kept_in(Path(bundles)))
    first = Measured(Path(dataset_dir), FITTED_SPLITS[0], Path(bundles), work, target)
    splits = [replace(first, split=name) for name in FITTED_SPLITS]
    cases = [(split, case) for split in splits for case in split.cases]
    volumes = [
        replace(split.to_fit(case, number), dice=dice_from_counts(split.clean(case).reformed.sum(dim=0))[1:].numpy())
        for number, (split, case) in enumerate(cases)
    ]
    screen = Screen(first.num_classes)
    record = fit_screen(screen, volumes, false_positive_rate=RATE, volume_rate=VOLUME_RATE)
    save_calibrated(screen, target, record)
    return target


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the screen that is shipped."""
    parser = data_parser("screen.fit", main.__doc__)
    parser.add_argument("--output", required=True, metavar="FILE", help="file of the screen, such as screen.pt")
    print(f"wrote {fit_shipped_screen(**vars(parser.parse_args(arguments)))}")


if __name__ == "__main__":
    main()
