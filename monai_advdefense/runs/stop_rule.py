"""When a run must not pass without a word: more suspicious volumes than clean ones would give."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from monai_advdefense.errors import AdvDefenseError, BatchError
from monai_advdefense.guard.batch_alarm import batch_p_value
from monai_advdefense.messages import broken_rule, reason

__all__ = ["StopRule"]


class StopRule:
    """Compare the verdicts of a run with the rate that the limit of clean volumes was set for.

    Args:
        weights: file of the screen; the record of its calibration beside it tells rate and number of subjects. Without
            a record nothing is compared.
        level: probability with which a run over clean volumes alone is called suspicious.
        fail: end such a run with exit code 3.
    """

    def __init__(self, weights: str | os.PathLike[str], *, level: float = 0.01, fail: bool = False) -> None:
        self.record = Path(weights).with_suffix(".calibration.json")
        self.level = level
        self.fail = fail

    def broken_by(self, verdicts: Mapping[str, int]) -> AdvDefenseError | None:
        """What is wrong with a run of so many volumes of each verdict, if anything is.

        Raises:
            InputError: if the record of the calibration cannot be read.
        """
        if not self.record.is_file():
            return None
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
            rate, subjects = float(record["false_positive_rate"]), int(record["subjects"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise broken_rule(self.record, "the record of a calibration", reason(error), "calibrate again") from error
        flagged = verdicts.get("review", 0) + verdicts.get("reject", 0)
        volumes = flagged + verdicts.get("clean", 0)
        p_value = batch_p_value(flagged, volumes, rate=rate, subjects=subjects)
        if p_value >= self.level:
            return None
        rule = f"about {100 * rate:g} % of the volumes to be called other than clean"
        found = f"{flagged} of {volumes} (p = {p_value:.2g}, set on {subjects} subjects)"
        return broken_rule(
            "run", rule, found, "see report.html; if they are clean, calibrate on such", error=BatchError
        )
