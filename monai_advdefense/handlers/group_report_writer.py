"""Write one report about all volumes of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ignite.engine import Engine, Events

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError
from monai_advdefense.handlers.older_result import remove_older_result
from monai_advdefense.handlers.output_path import output_path
from monai_advdefense.handlers.recorded_failure import recorded_failure
from monai_advdefense.messages import one_line, reason
from monai_advdefense.report import GroupEntry, case_from_json, group_to_csv, group_to_html, worst_first

__all__ = ["GroupReportWriter"]


class GroupReportWriter:
    """Ignite handler that, after a run, writes ``report.html`` and ``report.csv`` about all its volumes.

    Attach it after :class:`~monai_advdefense.handlers.ReportWriter`, whose ``NAME_scores.json`` files it reads, and
    after :class:`~monai_advdefense.handlers.GatherFailures` where several processes share the volumes: the first of
    them writes for all.

    The report is about the inputs of the run: all volumes of ``dataset_dir``, the failed ones included. A later run
    into the same folder replaces it; what else lies there, such as results of inputs that are gone, is not in it.
    While a run goes on there is no report, so that an older one does not stand beside newer results.

    Args:
        output_dir: folder of the results, in which the report is written.
        dataset_dir: folder of the inputs, or the one input file.
        dataset: dataset of the run, which knows its volumes and the failed ones among them. A volume whose scores
            cannot be read is recorded there.

    Raises:
        OutputError: in the run, if an older report cannot be removed or the new one not be written.
    """

    def __init__(
        self, output_dir: str | os.PathLike[str], dataset_dir: str | os.PathLike[str], dataset: VolumeDataset
    ) -> None:
        self.output_dir = Path(output_dir)
        self.dataset_dir = dataset_dir
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Write when ``engine`` has completed."""
        # Not before the first volume: a run that cannot begin leaves everything as it was.
        engine.add_event_handler(Events.ITERATION_STARTED(once=1), self.remove)
        engine.add_event_handler(Events.COMPLETED, self)

    def remove(self, engine: Engine) -> None:
        """Remove the report of an earlier run."""
        for name in ("report.html", "report.csv"):
            remove_older_result(self.output_dir / name)

    def __call__(self, engine: Engine) -> None:
        """Write the page and the table."""
        if self.dataset.rank:
            return
        entries = worst_first(self._entries())
        inputs = one_line(os.path.abspath(self.dataset_dir))
        for name, text in (
            ("report.csv", group_to_csv(entries)),
            ("report.html", group_to_html(entries, inputs=inputs)),
        ):
            with atomic_path(self.output_dir / name) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        engine.logger.info("wrote %s", self.output_dir / "report.html")

    def _entries(self) -> Iterator[GroupEntry]:
        for source in dict.fromkeys(self.dataset.attempted):
            entry = None
            if not any(path == source for path, _ in self.dataset.failures):
                with recorded_failure(self.dataset, source, "not in the report"):
                    entry = self._entry(source)
            yield entry or GroupEntry(self._name(source), failure=self._failure(source))

    def _entry(self, source: str) -> GroupEntry:
        record = output_path(source, self.dataset_dir, self.output_dir, "scores", ".json")
        try:
            case = case_from_json(record.read_text(encoding="utf-8"))
        except (OSError, InputError) as error:
            raise InputError(f"{one_line(record)}: {reason(error)}") from error
        page = output_path(source, self.dataset_dir, self.output_dir, "report", ".html")
        return GroupEntry(
            self._name(source), case, report=self._below(page), segmentation=self._below(case.segmentation_path)
        )

    def _below(self, path: str | os.PathLike[str]) -> str:
        return Path(os.path.relpath(path, self.output_dir)).as_posix()

    def _name(self, source: str) -> str:
        path, folder = Path(os.path.abspath(source)), Path(os.path.abspath(self.dataset_dir))
        if path == folder:
            return one_line(path.name)
        return one_line(path.relative_to(folder).as_posix() if folder in path.parents else source)

    def _failure(self, source: str) -> str:
        """Why a volume failed, without its own path, which the name tells."""
        messages = [message for path, message in self.dataset.failures if path == source]
        return "; ".join(message.removeprefix(f"{one_line(source)}: ") for message in messages)
