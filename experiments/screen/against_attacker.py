"""Refit a screen against the attacker who knows it, by turns, on training and validation volumes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from torch import Tensor

from experiments.arguments import data_parser
from experiments.screen.conditions import NORMS
from experiments.screen.examined import Examined, positions
from experiments.screen.fit import FITTED_SPLITS, RATE
from experiments.screen.informed_attack import STEPS, evade_scores
from experiments.screen.judged import judge_among_clean, judge_whole, rejected_by_image
from experiments.screen.measured import Measured, kept_in
from experiments.screen.rows import Found
from experiments.tables import Row, write_tables
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard.fit_screen import CleanVolume, fit_screen
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.volume_numbers import SliceNumbers
from monai_advdefense.metrics import dice_from_counts
from monai_advdefense.weights import save_calibrated

__all__ = ["against_attacker", "with_attacked"]

ATTACKED, HELD_OUT = "train", "validation"
SLICES: Mapping[str, int] = {ATTACKED: 1, HELD_OUT: 6}
"""Slices that are attacked in every round, of the first volume of each subject, at places of their own."""
ROUNDS = 3
# No verdict is asked for; this rate needs few subjects.
VOLUME_RATE = 0.2
_FOLDER = "against_attacker"


def with_attacked(volume: CleanVolume, attacked: Sequence[SliceNumbers]) -> CleanVolume:
    """A volume to fit on, with slices that were attacked in place of those with synthetic noise."""
    noisy = volume.image.noisy
    features = {
        name: torch.cat([values[:0], *(a.features[name] for a in attacked)]) for name, values in noisy.features.items()
    }
    position = torch.cat([noisy.position[:0], *(a.position for a in attacked)])
    area = torch.cat([noisy.clean_area[:0], *(a.clean_area for a in attacked)])
    return replace(volume, image=replace(volume.image, noisy=SliceNumbers(features, position, area)))


def against_attacker(measured: Measured, rounds: int = ROUNDS) -> pd.DataFrame:
    """Attack training slices through all scores of a screen, refit its score of faint noise on them instead, and again.

    Every refit counts all attacks so far. Screens are fitted on the volumes of the splits for training and calibration,
    their thresholds for the same share of clean slices. Slices of the validation split are attacked anew through each
    screen, with the same steps and norms.

    Args:
        measured: a data set; its split and screen do not matter. What was kept in its folder is not computed again.
        rounds: refits at most; one by which no fewer slices are accepted and bad is the last.

    Returns:
        One row for each screen, first the one that has seen no attack.

    Raises:
        CalibrationError: there are fewer than 5 subjects.

    Source:
        Lapid, Dubin, Sipper, "Fortify the Guardian, Not the Treasure: Resilient Adversarial Detectors" (Mathematics
        2024, RADAR).
    """
    every = _volumes(measured)
    apart = {case["subject"] for case in replace(measured, split=HELD_OUT).cases}
    volumes = [volume for volume in every if volume.subject not in apart]
    noisy = [volume for volume in every if volume.subject in apart]
    seen: dict[str, list[SliceNumbers]] = {}
    rows: list[Row] = []
    known, before = "0", list[Examined]()
    for number in range(rounds + 1):
        screen = _fitted(measured, _all_with_attacked(volumes, seen) if number else volumes, known)
        held_out, training = (replace(measured, split=split, screen_weights=screen) for split in (HELD_OUT, ATTACKED))
        now = [_attacked(held_out, case) for case in held_out.first_cases]
        rows.append({"round": number, **_row(held_out, now, before), **_noise(held_out.screen, noisy)})
        print(rows[-1], flush=True)
        damage = pd.DataFrame(rows)["accepted_and_bad"]
        if number and damage.iloc[-1] >= damage.iloc[-2]:
            break
        known, before = _name(held_out), now
        if number < rounds:
            for case in training.first_cases:
                seen.setdefault(case["subject"], []).append(_numbers(training, case))
    return pd.DataFrame(rows)


def _all_with_attacked(volumes: Sequence[CleanVolume], seen: Mapping[str, list[SliceNumbers]]) -> list[CleanVolume]:
    """The volumes without synthetic noise; the first of a subject, which was attacked, with the attacked slices."""
    first = {volume.subject: volume for volume in reversed(volumes)}
    return [with_attacked(each, seen.get(each.subject, []) if each is first[each.subject] else []) for each in volumes]


def _volumes(measured: Measured) -> list[CleanVolume]:
    """Clean volumes of all splits but that for tests, as scans of no other voxel size."""
    splits = [replace(measured, split=name) for name in FITTED_SPLITS]
    # Numbered as for the shipped screen: what was measured for that one is taken.
    cases = enumerate((split, case) for split in splits for case in split.cases)
    found = [split.to_fit(case, number) for number, (split, case) in cases]
    return [replace(volume, resampled=None, resampled_prediction=None) for volume in found]


def _fitted(measured: Measured, volumes: Sequence[CleanVolume], known: str) -> Path:
    """File of a screen that is fitted against attacks on the one that is ``known``."""
    target = measured.place(f"{_FOLDER}/{known}/refitted")
    if not target.is_file():
        screen = Screen(measured.num_classes)
        record = fit_screen(screen, volumes, false_positive_rate=RATE, volume_rate=VOLUME_RATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        save_calibrated(screen, target, record)
    return target


def _name(measured: Measured) -> str:
    """Folder of the attacks on a screen."""
    return file_sha256(measured.screen_weights)[:8]


def _norms(measured: Measured, case: dict[str, str], count: int) -> Tensor:
    """Norms of the attacks on so many slices of a volume: each in turn."""
    turn = torch.arange(count) + measured.first_cases.index(case)
    return torch.tensor(NORMS)[turn % len(NORMS)]


def _attacked(measured: Measured, case: dict[str, str]) -> Examined:
    """Slices of a volume that are attacked through all scores of the screen."""

    def compute() -> Examined:
        (image, label), subjects = measured.volume(case), measured.first_cases
        index = measured.chosen(image, SLICES[measured.split] * len(subjects))[subjects.index(case) :: len(subjects)]
        on = measured.attackable(case, index, torch.zeros_like(index))
        found = evade_scores(on, radius=_norms(measured, case, len(index)), steps=STEPS, starts=1)
        return measured.examined(found, label[index], index=index, position=positions(image)[index])

    return cast(Examined, measured.kept(f"{_FOLDER}/{_name(measured)}/{case['scan']}", compute))


def _numbers(measured: Measured, case: dict[str, str]) -> SliceNumbers:
    """What a fit needs of them."""
    part = _attacked(measured, case)
    return SliceNumbers(part.features, part.prediction.position, measured.clean(case).features["area"][part.index])


def _row(measured: Measured, attacked: Sequence[Examined], before: Sequence[Examined]) -> Row:
    """What a screen says of clean slices, of those attacked through it and of those attacked ``before`` its refit."""
    found, earlier = _found(measured, attacked), _found(measured, before)
    parts = [item.slices() for item in found]
    columns = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    radii = [_norms(measured, c, len(p.index)) for c, p in zip(measured.first_cases, attacked, strict=True)]
    norm_of = torch.cat(radii)
    clean = [item.clean for item in found]
    names = ("bad", "accepted_and_bad", "base_rate")
    return {
        "threshold": float(measured.screen.threshold),
        "clean_slices": sum(int(item.judged.sum()) for item in clean),
        "clean_rejected": sum(int((~item.accepted & item.judged).sum()) for item in clean),
        "slices": len(norm_of),
        "dice": _dice([item.numbers.reformed for item in found]),
        "dice_before": _dice([item.clean_numbers.plain[item.numbers.index] for item in found]),
        **{name: int(columns[name].sum()) for name in names},
        **{f"accepted_and_bad_{norm:g}": int(columns["accepted_and_bad"][norm_of == norm].sum()) for norm in NORMS},
        "spoke": _spoke(found),
        "earlier_spoke": _spoke(earlier),
    }


def _spoke(found: Sequence[Found]) -> str:
    """How many attacked slices each score rejects."""
    said = Counter(item.spoilt.spoke[place] or "none" for item in found for place in item.numbers.index.tolist())
    return "; ".join(f"{name} {count}" for name, count in said.most_common())


def _dice(counts: Sequence[Tensor]) -> float:
    """Mean over slices of the mean over their structures."""
    return float(dice_from_counts(torch.cat(list(counts)))[:, 1:].nanmean(dim=1).nanmean())


def _noise(screen: Screen, volumes: Sequence[CleanVolume]) -> Row:
    """How many slices with faint synthetic noise the image alone rejects."""
    noisy = [volume.image.noisy for volume in volumes]
    rejected = [rejected_by_image(screen, part.features, part.position) for part in noisy]
    return {"noisy_slices": sum(map(len, rejected)), "noise_rejected": int(torch.cat(rejected).sum())}


def _found(measured: Measured, attacked: Sequence[Examined]) -> list[Found]:
    """What a screen says of attacked slices among clean ones."""
    found = []
    for case, part in zip(measured.first_cases, attacked, strict=False):
        clean, screen = measured.clean(case), measured.screen
        said = judge_whole(screen, clean), judge_among_clean(screen, part, clean)
        found.append(Found(case["subject"], said[0], clean, said[1], part, among_clean=True))
    return found


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Refit a screen against the attacker who knows it, and write a table of what that gains."""
    parser = data_parser("screen.against_attacker", main.__doc__)
    parser.add_argument("--output", default="docs/results", metavar="DIR", help="folder of the table")
    options = parser.parse_args(arguments)
    bundles = Path(options.bundles)
    work = Path(options.work_dir or kept_in(bundles))
    measured = Measured(Path(options.dataset_dir), ATTACKED, bundles, work, Path())
    write_tables({"screen_against_attacker": against_attacker(measured)}, Path(options.output))
    print(f"wrote {options.output}/screen_against_attacker.csv")


if __name__ == "__main__":
    main()
