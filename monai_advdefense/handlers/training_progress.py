"""Progress bar of a training."""

from __future__ import annotations

import sys

from ignite.engine import Engine
from ignite.handlers import ProgressBar

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Show a bar over the iterations of each epoch with the loss and the time left.

    Silent where stderr is no terminal, so that log files stay readable.

    Args:
        loss: name of the loss in the trainer's output.
    """

    def __init__(self, loss: str = "loss") -> None:
        self.loss = loss

    def attach(self, engine: Engine) -> None:
        """Register on the trainer."""
        if sys.stderr.isatty():
            ProgressBar(desc="epoch").attach(engine, output_transform=lambda output: {self.loss: output[0][self.loss]})
