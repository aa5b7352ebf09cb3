"""A case as CSV and as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from pathlib import Path
from typing import Any

from monai_advdefense.errors import OutputError
from monai_advdefense.report.case import Case

__all__ = ["case_to_csv", "case_to_json", "write_text"]


def case_to_csv(case: Case) -> str:
    """One line per slice; values that are not finite or not known are empty.

    Columns: ``slice`` (from 0, preprocessed volume), ``position_mm`` (world), ``input_index`` (voxel, from 0),
    ``score``, ``threshold``, ``decision`` (accepted, rejected, blank, not_checked).
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["slice", "position_mm", "input_index", "score", "threshold", "decision"])
    writer.writerows(
        [
            record.index,
            record.position_mm,
            record.input_index,
            _finite(record.score),
            _finite(case.threshold),
            record.decision,
        ]
        for record in case.slices
    )
    return table.getvalue()


def case_to_json(case: Case) -> str:
    """The whole case as strict JSON: values that are not finite or not known are null."""
    content = {
        "verdict": case.verdict,
        "headline": case.headline,
        "input": case.input_path,
        "segmentation": case.segmentation_path,
        "created": case.created,
        "threshold": _finite(case.threshold),
        "counts": {
            "slices": len(case.slices),
            "checked": case.checked,
            "accepted": case.count("accepted"),
            "rejected": case.count("rejected"),
            "blank": case.count("blank"),
            "not_checked": case.count("not_checked"),
        },
        "provenance": dataclasses.asdict(case.provenance),
        "position_axis": case.position_axis,
        "slices": [
            {
                "slice": record.index,
                "position_mm": record.position_mm,
                "input_index": record.input_index,
                "score": _finite(record.score),
                "decision": record.decision,
            }
            for record in case.slices
        ],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file that appears whole or not at all; folders are made.

    Raises:
        OutputError: if it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8", newline="")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: expected a writable place, found {error.strerror}; choose another output_dir") from error


def _finite(value: Any) -> Any:
    return value if math.isfinite(value) else None
