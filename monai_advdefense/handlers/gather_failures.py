"""What happened in all processes, known to each of them."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from ignite.engine import Engine, Events

from monai_advdefense.data.volume_dataset import VolumeDataset

__all__ = ["GatherFailures"]


class GatherFailures:
    """Ignite handler that, at the end of a run, waits for the processes that share the volumes and merges their lists.

    After it ``dataset.attempted`` and ``dataset.failures`` are those of all processes, in the order of the paths.
    Attach it after everything that can fail, and before what speaks of the whole run. With one process it does nothing.

    Args:
        dataset: this process's share of the volumes; with a ``world_size`` above 1 a process group is needed, on the
            CPU (gloo), with a timeout longer than one process may take more than another.
    """

    def __init__(self, dataset: VolumeDataset) -> None:
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Gather when ``engine`` has completed."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Replace the lists of this process by those of all."""
        if self.dataset.world_size == 1:
            return
        shares: list[Any] = [None] * self.dataset.world_size
        dist.all_gather_object(shares, (self.dataset.attempted, self.dataset.failures))
        self.dataset.attempted[:] = sorted(path for attempted, _ in shares for path in attempted)
        # Several messages about one volume stay in the order in which they came.
        self.dataset.failures[:] = sorted((entry for _, failures in shares for entry in failures), key=lambda e: e[0])
