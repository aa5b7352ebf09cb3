"""One worker of Ray: a shard of a run, whose volumes come from a queue."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import Any

from monai_advdefense.bundle_tools.run_bundle import run_bundle
from monai_advdefense.cluster.work_queue import Item
from monai_advdefense.errors import AdvDefenseError, OutputError
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.manifest import ended_since
from monai_advdefense.runs.shard import Shard

__all__ = ["RayWorker"]


class RayWorker:
    """Runs a bundle on the volumes that it takes from a queue, in a process of its own.

    Args:
        queue: name of the :class:`~monai_advdefense.cluster.WorkQueue` in Ray.
        shard: number of this worker, and of all.
        bundle: as for :func:`~monai_advdefense.cluster.run_on_ray`, like all that follow.
        config_files: the configurations.
        overrides: values by the id of an entry.
    """

    def __init__(
        self,
        queue: str,
        shard: Shard,
        bundle: str | os.PathLike[str],
        config_files: Sequence[str | os.PathLike[str]],
        overrides: Mapping[str, Any],
    ) -> None:
        self.queue = queue
        self.shard = shard
        self.bundle = bundle
        self.config_files = config_files
        self.overrides = overrides

    def run(self) -> None:
        """Run until the queue is empty.

        Raises:
            AdvDefenseError: if the run does not come to its end. Volumes that failed are told by its manifest.
            OutputError: if it has died too often before it took a volume.
        """
        import ray

        started = datetime.now(UTC).isoformat()
        share = queue, index = ray.get_actor(self.queue), self.shard.index
        if not ray.get(queue.start.remote(index)):
            found, remedy = "that it dies each time before", "see the logs of Ray: is there memory enough?"
            raise broken_rule(f"worker {self.shard}", "it to reach a volume", found, remedy, error=OutputError)
        own = {"shard": str(self.shard), "dataset#data": _QueuedVolumes(*share)}
        with redirect_stdout(_Lines(*share, "stdout")), redirect_stderr(_Lines(*share, "stderr")):
            try:
                run_bundle(self.bundle, self.config_files, {**self.overrides, **own})
            except AdvDefenseError:
                if str(self.shard) not in {run["ended"] for run in ended_since(self.overrides["output_dir"], started)}:
                    raise


class _QueuedVolumes:
    """The volumes of one worker; the next one is taken when the one before is done."""

    def __init__(self, queue: Any, worker: int) -> None:
        self.queue = queue
        self.worker = worker

    def __iter__(self) -> Iterator[Item]:
        import ray

        ray.get(self.queue.begin.remote(self.worker))
        while (item := ray.get(self.queue.take.remote(self.worker))) is not None:
            yield item


class _Lines(io.TextIOBase):
    """A stream that passes whole lines on to the queue."""

    def __init__(self, queue: Any, worker: int, stream: str) -> None:
        self.queue = queue
        self.worker = worker
        self.stream = stream
        self.rest = ""

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.queue.tell.remote(self.worker, self.stream, line)
        return len(text)
