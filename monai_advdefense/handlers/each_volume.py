"""What handlers that write something about each volume have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from ignite.engine import Engine, Events

from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

__all__ = ["EachVolume"]


class EachVolume(ABC):
    """Ignite handler that writes something about each volume of an iteration; one that fails is recorded.

    Args:
        outputs: where the results lie.
        run_log: where to record a volume that could not be written.
        image_key: name of the image whose metadata tell the path of the input.

    Raises:
        OutputError: when the run starts, if the folder of the results cannot be made or written.
    """

    missing: ClassVar[str]
    """What a volume that failed has not got, such as ``"no scores"``."""

    def __init__(self, outputs: Outputs, run_log: RunLog, image_key: str) -> None:
        self.outputs = outputs
        self.run_log = run_log
        self.image_key = image_key

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of ``engine``."""
        self.outputs.attach(engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write what belongs to the volumes of the current iteration."""
        for output in engine.state.output:
            source = str(output[self.image_key].meta["filename_or_obj"])
            with self.run_log.recorded(source, self.missing):
                engine.logger.info("wrote %s", self.write(source, output))

    @abstractmethod
    def write(self, source: str, output: dict[str, Any]) -> object:
        """Write what belongs to one volume, and return what the log says of it.

        Args:
            source: path of the input.
            output: what the engine holds of it.
        """
