"""When a run must not pass without a word: more suspicious volumes than clean ones would give."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai_advdefense.errors import AdvDefenseError, BatchError
from monai_advdefense.guard.batch_alarm import BatchFinding
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.runs.run_log import RunLog

__all__ = ["StopRule", "conclude"]


class StopRule:
    """Compare the verdicts of a run with the rate that the limit of clean volumes was set for.

    Args:
        weights: file of the screen; the record of its calibration beside it tells rate and number of subjects. Without
            a record nothing is compared.
        level: probability with which a run over clean volumes alone is called suspicious.
        fail: end such a run with exit code 3.
    """

    def __init__(self, weights: str | os.PathLike[str], *, level: float = 0.01, fail: bool = False) -> None:
        self.weights = os.path.abspath(weights)
        self.record = Path(self.weights).with_suffix(".calibration.json")
        self.level = level
        self.fail = fail

    def arguments(self) -> dict[str, Any]:
        """What makes an equal rule, as JSON can hold it."""
        return {"weights": self.weights, "level": self.level, "fail": self.fail}

    def compare(self, verdicts: Mapping[str, int]) -> BatchFinding | None:
        """Compare the number of volumes of each verdict with the calibrated rate; None without a record.

        Raises:
            InputError: if the record of the calibration cannot be read.
        """
        if not self.record.is_file():
            return None
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
            rate, subjects = float(record["volume_rate"]), int(record["subjects"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise broken_rule(self.record, "the record of a calibration", reason(error), "calibrate again") from error
        flagged = verdicts.get("review", 0) + verdicts.get("reject", 0)
        return BatchFinding(flagged, flagged + verdicts.get("clean", 0), rate, subjects, self.level)

    def broken_by(self, verdicts: Mapping[str, int]) -> AdvDefenseError | None:
        """What is wrong with a run of so many volumes of each verdict, if anything is.

        Raises:
            InputError: if the record of the calibration cannot be read.
        """
        batch = self.compare(verdicts)
        if batch is None or not batch.broken:
            return None
        rule = f"about {100 * batch.rate:g} % of the volumes to be called other than clean"
        found = f"{batch.flagged} of {batch.volumes} (p = {batch.p_value:.2g}, set on {batch.subjects} subjects)"
        return broken_rule(
            "run", rule, found, "see report.html; if they are clean, calibrate on such", error=BatchError
        )


def conclude(run_log: RunLog, alarm: AdvDefenseError | None, *, fail: bool) -> None:
    """Tell the alarm of a stop rule and how many volumes were written.

    Args:
        run_log: what the run did.
        alarm: what a stop rule has found, if anything.
        fail: raise the alarm.

    Raises:
        InputError: if a volume failed.
        BatchError: if none failed, and the alarm is to be raised.
    """
    if alarm is not None:
        print(f"warning: {alarm}", file=sys.stderr, flush=True)
    run_log.conclude()
    if alarm is not None and fail:
        raise alarm
