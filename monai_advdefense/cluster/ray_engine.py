"""Run a bundle on many volumes by workers of Ray: on this machine, or on those of a cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tqdm import tqdm

from monai_advdefense.cluster.work_queue import Item, WorkQueue
from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.errors import AdvDefenseError, OutputError
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.merge_shards import merge_shards
from monai_advdefense.runs.shard import Shard
from monai_advdefense.runs.stop_rule import conclude

__all__ = ["run_on_ray"]

_DEATHS = 100
_POLL_S = 0.2
# Read when Ray is imported, and by what it starts: it reports nothing to its makers, looks for no collector of metrics,
# leaves workers the priority of this process and GPUs to who asks for them.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_worker_niceness": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def run_on_ray(
    bundle: str | os.PathLike[str],
    config_files: Sequence[str | os.PathLike[str]],
    overrides: Mapping[str, Any],
    *,
    workers: int | None = None,
) -> None:
    """Run the inference of a bundle by several workers, each of which loads the networks once.

    Each worker is a shard that takes its volumes from a queue, see :class:`~monai_advdefense.cluster.WorkQueue`; their
    manifests are merged in the end. One that dies, alone or with its machine, is started again where there is room, and
    goes on by its manifest. Ray is that of this process or of the environment variable ``RAY_ADDRESS``; without these
    one is started that listens on the loopback interface alone, and stopped in the end.

    Args:
        bundle: folder of the bundle. It, the inputs and the results have the same paths on all machines.
        config_files: as for :func:`~monai_advdefense.bundle_tools.run_bundle.run_bundle`.
        overrides: values by the id of an entry, ``dataset_dir`` and ``output_dir`` among them.
        workers: their number, 2 or more; None takes one for each GPU, or else for each CPU. Those for which there is
            no room wait.

    Raises:
        InputError: if the extra ``cluster`` is not installed, there is a single worker, the run cannot begin, or a
            volume failed; the others are written nevertheless.
        OutputError: if results cannot be written, or a worker dies always before its first volume.
        BatchError: if the alarm is to be raised and no volume failed.
    """
    if workers is not None and workers < 2:
        raise broken_rule("workers", "2 or more", workers, "leave out the engine for a single process")
    output_dir = overrides["output_dir"]
    items = overrides.get("dataset#data") or volume_datalist(overrides["dataset_dir"], exclude=output_dir)
    with _ray(workers) as ray:
        queue, running = _start(ray, items, workers, (bundle, config_files, overrides))
        try:
            lost = _wait(ray, queue, running, len(items))
        finally:
            _end(ray, running)
    failures = [(str(item["image"]), _died_on(item)) for item in lost]
    conclude(*merge_shards(output_dir, failures=failures), fail=bool(overrides.get("fail_on_alarm")))


def _died_on(item: Item) -> str:
    remedy = "is there memory enough? leave it out, or give it more"
    return str(broken_rule(item["image"], "workers that end it", "several that died", remedy))


@contextmanager
def _ray(workers: int | None) -> Iterator[Any]:
    """Ray, for as long as a block lasts."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        remedy = "pip install 'monai_advdefense[cluster]'"
        raise broken_rule("engine", "Ray to be installed", "it missing", remedy) from error
    if ray.is_initialized():
        yield ray
        return
    own = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers, "_node_ip_address": "127.0.0.1"}
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **own)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(
    ray: Any, items: Sequence[Item], workers: int | None, arguments: tuple[Any, ...]
) -> tuple[Any, dict[Any, Any]]:
    """A queue, and workers by the run of each."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from monai_advdefense.cluster.ray_worker import RayWorker

    resources, device = ray.cluster_resources(), arguments[-1].get("device")
    gpus = 0 if device == "cpu" else int(resources.get("GPU", 0))
    # The queue shall not die with another machine than this one.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    name = f"advdefense_{uuid4()}"
    queue = ray.remote(WorkQueue).options(name=name, num_cpus=0, scheduling_strategy=here).remote(items)
    actor = ray.remote(RayWorker).options(
        num_cpus=1, num_gpus=min(1, gpus), max_restarts=_DEATHS, max_task_retries=_DEATHS
    )
    # A run that is alone would be no shard.
    count = max(2, min(workers or gpus or int(resources.get("CPU", 0)), len(items)))
    started = [actor.remote(name, Shard(index, count), *arguments) for index in range(1, count + 1)]
    return queue, {worker.run.remote(): worker for worker in started}


def _wait(ray: Any, queue: Any, running: dict[Any, Any], total: int) -> list[Item]:
    """Show what workers do until all of them have ended; the volumes that are lost."""
    with tqdm(total=total, desc="volumes", unit="volume", leave=False, disable=not sys.stderr.isatty()) as bar:
        while True:
            ended, _ = ray.wait(list(running), timeout=_POLL_S)
            news = ray.get(queue.news.remote())
            for stream, line in news.lines:
                tqdm.write(line, file=getattr(sys, stream))
            bar.update(news.finished - bar.n)
            for run in ended:
                # The last handle of a worker, which makes room for those that wait.
                del running[run]
                _raise_error(ray, run)
            if not running:
                return news.lost


def _end(ray: Any, running: Mapping[Any, Any]) -> None:
    """End workers that still run: on a cluster that stays they would write on after an error of one of them."""
    for worker in running.values():
        ray.kill(worker)


def _raise_error(ray: Any, run: Any) -> None:
    """Raise the error that a run has ended with, if it has."""
    try:
        ray.get(run)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, AdvDefenseError):
            raise error.cause from None
        raise
    except ray.exceptions.RayActorError as error:
        remedy = "see its logs: is there memory enough?"
        raise broken_rule("Ray", "workers that live", "one that dies always", remedy, error=OutputError) from error
