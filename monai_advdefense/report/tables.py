"""A case as CSV and as JSON, and back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from typing import Any

import numpy as np

from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.guard.verdict_entries import finite_or_none, verdict_entries
from monai_advdefense.messages import broken_rule
from monai_advdefense.report.case import Case, SliceRecord
from monai_advdefense.report.provenance import Provenance

__all__ = ["case_from_json", "case_to_csv", "case_to_json"]


def case_to_csv(case: Case) -> str:
    """One line per slice; values that are not finite or not known are empty.

    Columns: ``slice`` (from 0, preprocessed volume), ``position_mm`` (world), ``input_index`` (voxel, from 0),
    ``score``, ``threshold``, ``decision`` (accepted, rejected, blank, not_judged, not_checked), and of a rejected slice
    ``spoke``, the name of the score that rejected it, and ``cause``, the likely cause.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["slice", "position_mm", "input_index", "score", "threshold", "decision", "spoke", "cause"])
    writer.writerows(
        [
            record.index,
            record.position_mm,
            record.input_index,
            finite_or_none(record.score),
            finite_or_none(case.threshold),
            record.decision,
            record.spoke,
            record.cause,
        ]
        for record in case.slices
    )
    return table.getvalue()


def case_to_json(case: Case) -> str:
    """The whole case as strict JSON: values that are not finite or not known are null."""
    content = {
        "verdict": case.verdict,
        "headline": case.headline,
        **verdict_entries(case.found, case.dice),
        "input": case.input_path,
        "segmentation": case.segmentation_path,
        "created": case.created,
        "threshold": finite_or_none(case.threshold),
        "counts": {
            "slices": len(case.slices),
            "checked": case.checked,
            "accepted": case.count("accepted"),
            "rejected": case.count("rejected"),
            "blank": case.count("blank"),
            "not_judged": case.count("not_judged"),
            "not_checked": case.count("not_checked"),
        },
        "provenance": dataclasses.asdict(case.provenance),
        "position_axis": case.position_axis,
        "slices": [
            {
                "slice": record.index,
                "position_mm": record.position_mm,
                "input_index": record.input_index,
                "score": finite_or_none(record.score),
                "decision": record.decision,
                "spoke": record.spoke,
                "cause": record.cause,
            }
            for record in case.slices
        ],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def case_from_json(text: str, *, path: str | os.PathLike[str] = "scores") -> Case:
    """The case that :func:`case_to_json` wrote; values that were not finite are NaN.

    Args:
        text: content of the file.
        path: what to call it in the message.

    Raises:
        InputError: if the text is no such record.
    """
    try:
        content = json.loads(text)
        return Case(
            input_path=content["input"],
            segmentation_path=content["segmentation"],
            threshold=_number(content["threshold"]),
            slices=tuple(
                SliceRecord(
                    entry["slice"],
                    entry["position_mm"],
                    entry["input_index"],
                    _number(entry["score"]),
                    entry["decision"],
                    entry["spoke"],
                    entry["cause"],
                )
                for entry in content["slices"]
            ),
            position_axis=content["position_axis"],
            provenance=Provenance(**content["provenance"]),
            created=content["created"],
            found=_found(content),
            dice=_dice(content["predicted_dice"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = f"something else ({type(error).__name__})"
        raise broken_rule(path, "the record of a volume's scores", found, "run the volume again") from error


def _found(content: dict[str, Any]) -> VolumeVerdict | None:
    if content["judged"] is None:
        return None
    return VolumeVerdict(
        content["verdict"],
        content["cause"],
        content["explanation"],
        content["spoke"],
        _number(content["p_value"]),
        content["judged"],
        content["rejected"],
        _number(content["expected_rejected"]),
    )


def _dice(content: dict[str, Any] | None) -> PredictedDice | None:
    if content is None:
        return None
    rows = [[_number(row[key]) for key in ("dice", "low", "high")] for row in content["structures"].values()]
    return PredictedDice(np.array(rows), (_number(content["dice"]), _number(content["low"]), _number(content["high"])))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
