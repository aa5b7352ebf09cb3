"""Load a network's weights, or say in one line why they cannot be."""

from __future__ import annotations

import os

import torch
from ignite.engine import Engine
from monai.engines import Trainer
from monai.handlers import CheckpointLoader

from monai_advdefense.weights import load_weights

__all__ = ["StrictCheckpointLoader"]


class StrictCheckpointLoader(CheckpointLoader):  # type: ignore[misc]
    """Ignite handler that loads a network's weights when the engine starts, see :func:`load_weights`.

    Stands where ``monai.handlers.CheckpointLoader`` would. A training that goes on, see
    :class:`~monai_advdefense.handlers.Resume`, keeps its weights.

    Args:
        load_path: file with a flat state dict.
        network: network with exactly these names and shapes.
        require_calibrated: refuse weights whose threshold, that in use, is not finite, which
            means "not calibrated".
    """

    def __init__(
        self, load_path: str | os.PathLike[str], network: torch.nn.Module, *, require_calibrated: bool = False
    ) -> None:
        super().__init__(load_path=str(load_path), load_dict={"network": network})
        self.network = network
        self.require_calibrated = require_calibrated

    def __call__(self, engine: Engine) -> None:
        """Load the weights, or raise what :func:`load_weights` raises."""
        if isinstance(engine, Trainer) and engine.state.epoch > 0:
            return
        load_weights(self.load_path, self.network, require_calibrated=self.require_calibrated)
        engine.logger.info("loaded weights from %s", self.load_path)
