"""Tell the manifest of each volume whose results are written."""

from __future__ import annotations

from ignite.engine import Engine, Events

from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.run_log import RunLog

__all__ = ["MarkDone"]


class MarkDone:
    """Ignite handler that tells the manifest of each volume that is done; it stands behind all that write.

    A volume that failed is not done, so that the next run tries it again.

    Args:
        manifest: which volumes are done.
        run_log: what the run did.
        image_key: name of the image whose metadata tell the path of the input.
    """

    def __init__(self, manifest: Manifest, run_log: RunLog, *, image_key: str = "image") -> None:
        self.manifest = manifest
        self.run_log = run_log
        self.image_key = image_key

    def attach(self, engine: Engine) -> None:
        """Register after every iteration of ``engine``."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Mark the volumes of the current iteration."""
        for case in engine.state.output:
            source = str(case[self.image_key].meta["filename_or_obj"])
            if not self.run_log.reasons(source):
                with self.run_log.recorded(source, "not in the manifest"):
                    self.manifest.mark_done(source)
