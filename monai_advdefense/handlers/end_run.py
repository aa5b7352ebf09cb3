"""The end of a run: what all processes did, the group report, and what failed."""

from __future__ import annotations

import ignite.distributed as idist
from ignite.engine import Engine, Events

from monai_advdefense.errors import AdvDefenseError, own_error
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.stop_rule import StopRule, conclude

__all__ = ["EndRun"]


class EndRun:
    """Ignite handler that ends a run over volumes, wherever it stands among the handlers.

    When the run has completed, it merges what the processes did, and the first of them speaks for all: it writes the
    group report, prints how many volumes were written, and raises if one failed.

    Args:
        run_log: what the run did.
        group_report: the report about all volumes, if there shall be one; that of an earlier run is removed when the
            first volume is there.
        manifest: which volumes are done; it is told that this run has ended. One of several shards writes no report.
        stop_rule: how many suspicious volumes are too many for a run that has a group report.

    Raises:
        InputError: when the run has completed, if a volume failed.
        BatchError: then, if the stop rule asks for that.
        OutputError: if an older report cannot be removed or the new one not be written.
    """

    def __init__(
        self,
        run_log: RunLog,
        group_report: GroupReport | None = None,
        *,
        manifest: Manifest | None = None,
        stop_rule: StopRule | None = None,
    ) -> None:
        self.run_log = run_log
        self.group_report = group_report
        self.manifest = manifest
        self.stop_rule = stop_rule

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        if self.group_report is not None:
            # Not before the first volume: a run that cannot begin leaves everything as it was.
            engine.add_event_handler(Events.ITERATION_STARTED(once=1), self.group_report.remove)
        engine.add_event_handler(Events.COMPLETED, self)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.exception_raised)

    def __call__(self, engine: Engine) -> None:
        """Merge, report, and raise if a volume failed."""
        self.run_log.merge()
        if idist.get_rank() != 0:
            return
        alarm: AdvDefenseError | None = None
        if self.group_report is not None and (self.manifest is None or self.manifest.shard.count == 1):
            engine.logger.info("wrote %s", self.group_report.write(self.stop_rule))
            if self.stop_rule is not None:
                alarm = self.stop_rule.broken_by(self.group_report.verdicts)
        if self.manifest is not None:
            rule = None if self.stop_rule is None else self.stop_rule.arguments()
            self.manifest.mark_ended(self.run_log.attempted, self.run_log.failures, stop_rule=rule)
        conclude(self.run_log, alarm, fail=self.stop_rule is not None and self.stop_rule.fail)

    def exception_raised(self, _: Engine, error: BaseException) -> None:
        """List what failed if a message for the user ends the run, and pass the error on."""
        if own_error(error) is not None:
            self.run_log.print_failures()
        raise error
