"""Give memory that a volume has used back before the next one."""

from __future__ import annotations

import ctypes
import gc
import sys

from ignite.engine import Engine, Events

__all__ = ["ReleaseMemory"]


class ReleaseMemory:
    """Ignite handler that keeps the memory of a run over many volumes at that of one.

    After each iteration it collects garbage, as ``monai.handlers.GarbageCollector`` does, and has the C library return
    free pages to the system, once more when the next volume is loaded. glibc keeps them otherwise, between small blocks
    that are in use, and takes new ones for the network. On other systems it only collects. An output is gone when the
    next volume is loaded, and not only behind that.
    """

    def __init__(self) -> None:
        # None is the process itself; not every C library of Linux has the function.
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None

    def attach(self, engine: Engine) -> None:
        """Register before and after every iteration of ``engine``."""
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._forget_output)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._return_pages)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Collect and return."""
        gc.collect()
        self._return_pages()

    def _forget_output(self, engine: Engine) -> None:
        engine.state.output = None

    def _return_pages(self) -> None:
        if self._trim is not None:
            self._trim(0)
