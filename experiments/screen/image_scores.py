"""What the image scores of the screen see: clean volumes, accidents, contrast, pose and faint attacks."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from experiments.attacks import AttackSetting
from experiments.bundles import BUNDLES
from experiments.screen.measured import Measured, SpoiltNumbers
from experiments.screen.spoilt_volumes import CAUSES, SPOILT_VOLUMES
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard.fit_typicality import FittedTypicality, fit_typicality_numbers
from monai_advdefense.guard.typicality import TYPICALITY_CAUSES, SliceScores, Typicality
from monai_advdefense.guard.volume_numbers import VolumeNumbers

ATTACKS = [AttackSetting("dag", kind, strength) for strength in (0.125, 0.0625) for kind in "AC"]
Scored = tuple[SliceScores, Tensor]
"""Scores of the slices of a volume, and which of them count."""


def measure_image_scores(measured: Measured, split: str) -> list[dict[str, str]]:
    """Fit on all splits but ``split`` and the test split, and measure on ``split``.

    Returns:
        One row for clean volumes and one for each fault and attack.
    """
    fitting = [name for name in ("train", "validation", "calibration") if name != split]
    fitted = fit_typicality_numbers([measured.clean(case) for case in measured.cases(*fitting)], channels=1)
    limit = max(map(_volume_score, fitted.scores))
    cases = [(case, measured.clean(case)) for case in measured.cases(split)]
    clean = [_score(fitted.model, numbers, None) for _, numbers in cases]
    rows = [_clean_row(fitted, clean, limit)]
    for name in SPOILT_VOLUMES:
        scored = [_score(fitted.model, numbers, measured.spoilt(case, name)) for case, numbers in cases]
        rows.append(_row(name, CAUSES.get(name, ()), scored, clean, limit))
    for setting in ATTACKS:
        scored = [_score(fitted.model, numbers, measured.attacked(case, setting)) for case, numbers in cases]
        rows.append(_row(setting.name, ("fine_pattern",), scored, clean, limit))
    return rows


def _score(model: Typicality, numbers: VolumeNumbers, spoilt: SpoiltNumbers | None) -> Scored:
    features, position = numbers.clean.features, numbers.clean.position
    with torch.no_grad():
        if spoilt is None:
            scores = model.score(features, position)
            return scores, scores.judged
        if not spoilt.between_clean:
            scores = model.score(spoilt.features, position[spoilt.index], neighbours=False)
            return scores, spoilt.changed & scores.judged
        whole = {name: values.clone() for name, values in features.items()}
        for name, values in spoilt.features.items():
            whole[name][spoilt.index] = values
        scores = model.score(whole, position)
        counted = torch.zeros(len(position), dtype=torch.bool)
        counted[spoilt.index[spoilt.changed]] = True
        return scores, counted & scores.judged


def _volume_score(scores: SliceScores) -> float:
    """Mean of the two largest slices."""
    largest = scores.scores[scores.judged].amax(dim=1)
    return float(largest.topk(min(2, len(largest))).values.mean())


def _clean_row(fitted: FittedTypicality, clean: Sequence[Scored], limit: float) -> dict[str, str]:
    rates = torch.tensor([float(scores.rejected[judged].float().mean()) for scores, judged in clean])
    over = sum(_volume_score(scores) > limit for scores, _ in clean)
    return {
        "fault": "none",
        "slices": str(sum(int(judged.sum()) for _, judged in clean)),
        "rejected": f"{float(rates.mean()):.3f}",
        "worst_volume": f"{float(rates.max()):.3f}",
        "volumes_found": f"{over / len(clean):.2f}",
        "fitted_on": f"{fitted.record['volumes']} volumes of {fitted.record['subjects']} subjects",
    }


def _row(
    name: str, causes: Sequence[str], scored: Sequence[Scored], clean: Sequence[Scored], limit: float
) -> dict[str, str]:
    rejected = torch.cat([scores.rejected[counted] for scores, counted in scored]).float()
    found = sum(_volume_score(scores) > limit for scores, _ in scored)
    faulty, normal = (torch.cat([s.scores[c].amax(dim=1) for s, c in group]) for group in (scored, clean))
    truth = [1] * len(faulty) + [0] * len(normal)
    named = torch.cat([s.by_cause[c & s.rejected].argmax(dim=1) for s, c in scored]).tolist()
    right = sum(TYPICALITY_CAUSES[place] in causes for place in named)
    return {
        "fault": name,
        "slices": str(len(rejected)),
        "rejected": f"{float(rejected.mean()):.3f}",
        "volumes_found": f"{found / len(scored):.2f}",
        "auc": f"{roc_auc_score(truth, torch.cat([faulty, normal])):.3f}",
        "cause_right": f"{right / len(named):.2f}" if named and causes else "",
    }


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the image scores of the screen and write a CSV file."""
    parser = argparse.ArgumentParser(prog="python -m experiments.screen.image_scores", description=main.__doc__)
    parser.add_argument("--dataset_dir", required=True, type=Path, metavar="DIR", help="in the layout of MALC 2012")
    parser.add_argument("--split", default="validation", help="what is measured; test once, at the end")
    parser.add_argument("--bundles", default=BUNDLES, type=Path, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--work_dir", required=True, type=Path, metavar="DIR", help="kept between runs")
    parser.add_argument("--attacked_slices", type=int, default=10, help="attacked slices of each volume")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the CSV file")
    options = parser.parse_args(arguments)
    measured = Measured(options.dataset_dir, options.bundles, options.work_dir, options.attacked_slices)
    rows = measure_image_scores(measured, options.split)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(options.output) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
