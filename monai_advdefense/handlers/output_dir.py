"""Find out before anything is computed that results cannot be written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ignite.engine import Engine, Events

from monai_advdefense.errors import OutputError
from monai_advdefense.messages import one_line

__all__ = ["OutputDir"]


class OutputDir:
    """Ignite handler that makes the folder of the results when a run starts, and tries to write there.

    Args:
        output_dir: folder of the results.

    Raises:
        OutputError: when the run starts, if the folder cannot be made or written.
    """

    def __init__(self, output_dir: str | os.PathLike[str]) -> None:
        self.output_dir = output_dir

    def attach(self, engine: Engine) -> None:
        """Check when ``engine`` starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Make the folder and write a file that has no name."""
        try:
            Path(self.output_dir).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.output_dir):
                pass
        except OSError as error:
            raise OutputError(
                f"output_dir: expected a folder that can be written, found {one_line(error.strerror or error)} for "
                f"{one_line(self.output_dir)}: choose another folder, or check free space and permissions"
            ) from error
