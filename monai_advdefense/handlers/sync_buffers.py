"""Give all processes of a training the same network before it is validated."""

from __future__ import annotations

import ignite.distributed as idist
import torch.distributed as dist
from ignite.engine import Engine, Events
from torch import nn

__all__ = ["SyncBuffers"]


class SyncBuffers:
    """Send the buffers of the first process to the others when the engine starts.

    ``DistributedDataParallel`` sends them before each training step, so that after the last one the running statistics
    of a batch normalization differ: each process would validate its share of the images by another network than the one
    that is saved.

    Args:
        network: the network that is trained.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Register on the validation engine; a process that is alone does nothing."""
        if idist.get_world_size() > 1:
            engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Replace the buffers of all processes but the first."""
        for buffer in self.network.buffers():
            dist.broadcast(buffer, src=0)
