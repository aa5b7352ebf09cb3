"""Derive the randomness of every training epoch from a seed and the number of the epoch."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.transforms import Randomizable
from monai.utils import MAX_SEED

__all__ = ["EpochSeed"]


class EpochSeed:
    """Seed shuffling, dropout and random transforms anew at the start of each epoch, and differently in each process.

    With it a resumed training repeats exactly what an unbroken one does, and no random state has to be stored. It
    reaches random transforms only where the data loader has no worker processes.

    Args:
        seed: seed of the training.
        transform: the random transform of the training slices, usually a ``Compose``.
    """

    def __init__(self, seed: int, transform: Any = None) -> None:
        self.seed = seed
        self.transform = transform

    def attach(self, engine: Engine) -> None:
        """Register on the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed for the epoch that starts."""
        # Large odd factors keep the streams of neighbouring seeds, epochs and processes apart.
        seed = (self.seed + engine.state.epoch * 1_000_003 + idist.get_rank() * 15_485_863) % MAX_SEED
        torch.manual_seed(seed)
        if isinstance(self.transform, Randomizable):
            self.transform.set_random_state(seed=seed)
