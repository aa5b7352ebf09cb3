"""Store a training after every epoch and go on where a killed one stopped."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver

from monai_advdefense.errors import InputError, exit_on_error

__all__ = ["Resume"]


class Resume:
    """Write the state of a training after every epoch, and load the newest one at the start.

    The file appears whole or not at all. To start afresh, use another run folder or delete this one.

    Args:
        run_dir: folder of the run, outside the bundle's models/.
        objects: what has a state, by name: network, optimizer, scheduler, best weights and so on.

    Raises:
        SystemExit: with code 2 and one line on stderr, if the stored state does not fit these objects.
    """

    def __init__(self, run_dir: str | Path, objects: Mapping[str, Any]) -> None:
        self.run_dir = Path(run_dir)
        self.objects = dict(objects)

    def attach(self, engine: Engine) -> None:
        """Register on the trainer; must come before handlers that read the state of the training."""
        engine.add_event_handler(Events.STARTED, self.load)
        saver = DiskSaver(str(self.run_dir), create_dir=True, require_empty=False, atomic=True)
        checkpoint = Checkpoint(
            {**self.objects, "trainer": _Position(engine)},
            saver,
            filename_prefix="resume",
            # With n_saved=1 ignite deletes the old file before it writes the new one: a kill between loses both.
            n_saved=None,
            global_step_transform=lambda *_: engine.state.epoch,
        )
        engine.add_event_handler(Events.EPOCH_COMPLETED, checkpoint)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.remove_older)

    @exit_on_error
    def load(self, engine: Engine) -> None:
        """Load the newest state in the run folder, if there is one."""
        stored = self._stored()
        if not stored:
            return
        device = getattr(engine.state, "device", idist.device())
        objects = {**self.objects, "trainer": _Position(engine)}
        try:
            state = torch.load(stored[-1], map_location=device, weights_only=True)
            Checkpoint.load_objects(objects, state)
        except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{stored[-1]}: expected the state of this training, found another one ({reason}); "
                "delete it or choose another run_dir"
            ) from error

    def remove_older(self, engine: Engine) -> None:
        """Delete all states but that of the epoch just stored, those of an interrupted run too."""
        if idist.get_rank() == 0:
            for path in self._stored()[:-1]:
                path.unlink()

    def _stored(self) -> list[Path]:
        """Files of states, the newest last."""
        return sorted(self.run_dir.glob("resume_checkpoint_*.pt"), key=lambda path: int(path.stem.split("_")[-1]))


class _Position:
    """Epoch and iteration of an engine, without its length, so that a finished training can be prolonged."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.engine.state.epoch, "iteration": self.engine.state.iteration}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.engine.state.epoch = state["epoch"]
        self.engine.state.iteration = state["iteration"]
