"""One report about all volumes of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.messages import broken_rule, one_line, reason
from monai_advdefense.report import GroupEntry, case_from_json, group_to_csv, group_to_html, worst_first
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.stop_rule import StopRule

__all__ = ["GroupReport"]


class GroupReport:
    """``report.html`` and ``report.csv`` about the inputs of a run, the failed ones included.

    They are made from the ``NAME_scores.json`` of each volume, see :class:`~monai_advdefense.handlers.ReportWriter`. A
    later run into the same folder replaces them; what else lies there, such as results of inputs that are gone, is not
    in them. While a run goes on there is no report, so that an older one does not stand beside newer results.

    Args:
        outputs: where the results lie.
        run_log: what the run did. A volume whose scores cannot be read is recorded there.

    Attributes:
        verdicts: number of volumes of each verdict, once the report is written.
    """

    def __init__(self, outputs: Outputs, run_log: RunLog) -> None:
        self.outputs = outputs
        self.run_log = run_log
        self.verdicts: Counter[str] = Counter()
        self.table, self.page = outputs.output_dir / "report.csv", outputs.output_dir / "report.html"

    def remove(self) -> None:
        """Remove the report of an earlier run.

        Raises:
            OutputError: if the system refuses.
        """
        self.outputs.remove(self.page, self.table)

    def write(self, stop_rule: StopRule | None = None) -> Path:
        """Write the page and the table; the path of the page.

        Args:
            stop_rule: what says on the page whether there are too many suspicious volumes.

        Raises:
            InputError: if the stop rule cannot read the record of a calibration.
            OutputError: if one cannot be written.
        """
        entries = worst_first(self._entries())
        self.verdicts = Counter(entry.verdict for entry in entries)
        inputs = one_line(os.path.abspath(self.outputs.dataset_dir))
        batch = None if stop_rule is None else stop_rule.compare(self.verdicts)
        for path, text in (
            (self.table, group_to_csv(entries, batch=batch)),
            (self.page, group_to_html(entries, inputs=inputs, batch=batch)),
        ):
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        return self.page

    def _entries(self) -> Iterator[GroupEntry]:
        for source in dict.fromkeys(self.run_log.attempted):
            entry = None
            if not self.run_log.reasons(source):
                with self.run_log.recorded(source, "not in the report"):
                    entry = self._entry(source)
            yield entry or GroupEntry(self.outputs.name(source), failure=self._failure(source))

    def _entry(self, source: str) -> GroupEntry:
        record = self.outputs.path(source, "scores", ".json")
        try:
            text = record.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            rule = "the record of a volume's scores"
            raise broken_rule(record, rule, reason(error), "run the volume again") from error
        case = case_from_json(text, path=record)
        return GroupEntry(
            self.outputs.name(source),
            case,
            report=self.outputs.below(self.outputs.path(source, "report", ".html")),
            segmentation=self._segmentation(record, case.segmentation_path),
        )

    def _segmentation(self, record: Path, path: str) -> str:
        """Path of a segmentation for a link: beside its record, wherever both were moved to, or where it was written.

        Another program than ours may have written it elsewhere, or none.
        """
        if not path:
            return ""
        beside = record.with_name(Path(path).name)
        return self.outputs.below(beside if beside.is_file() or not Path(path).is_file() else path)

    def _failure(self, source: str) -> str:
        """Why a volume failed, without its own path, which the name tells."""
        return "; ".join(reason.removeprefix(f"{one_line(source)}: ") for reason in self.run_log.reasons(source))
