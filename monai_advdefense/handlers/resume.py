"""Store a training after every epoch and go on where a killed one stopped."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint
from torch.optim.lr_scheduler import CosineAnnealingLR

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import write_state

__all__ = ["Resume"]


class Resume:
    """Write the state of a training after every epoch, and load the newest one at the start.

    The file appears whole or not at all. To start afresh, use another run folder or delete this one. A training can be
    prolonged, also a finished one: where a cosine schedule of another length or learning rate is stored, the learning
    rate goes on as the new schedule has it for the epoch that was reached. A trainer that has run before, as in each
    round of federated learning but the first, is left as it is.

    Args:
        run_dir: folder of the run, outside the bundle's models/.
        objects: what has a state, by name: network, optimizer, scheduler, best weights and so on.

    Raises:
        InputError: when the training starts, if the stored state does not fit these objects.
        OutputError: in the run, if a state cannot be written; the one before stays.
    """

    def __init__(self, run_dir: str | Path, objects: Mapping[str, Any]) -> None:
        self.run_dir = Path(run_dir)
        self.objects = dict(objects)

    def attach(self, engine: Engine) -> None:
        """Register on the trainer."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.STARTED, self._store)

    def _store(self, engine: Engine) -> None:
        """Store each epoch after all handlers that change a state: they are attached by now."""
        if engine.has_event_handler(self.remove_older, Events.EPOCH_COMPLETED):
            return
        checkpoint = Checkpoint(
            {**self.objects, "trainer": _Position(engine)},
            self._write,
            filename_prefix="resume",
            # With n_saved=1 ignite deletes the old file before it writes the new one: a kill between loses both.
            n_saved=None,
            global_step_transform=lambda *_: engine.state.epoch,
        )
        engine.add_event_handler(Events.EPOCH_COMPLETED, checkpoint)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.remove_older)

    def _write(self, state: Mapping[str, Any], name: str, metadata: Mapping[str, Any] | None = None) -> None:
        """Not by ignite's DiskSaver: what a kill cuts off there stays, under a name that is not hidden."""
        if idist.get_rank() == 0:
            with atomic_path(self.run_dir / name) as temporary:
                write_state(state, temporary)

    def load(self, engine: Engine) -> None:
        """Load the newest state in the run folder, if there is one and the trainer is new."""
        stored = self._stored()
        if not stored or engine.state.epoch > 0:
            return
        device = getattr(engine.state, "device", idist.device())
        objects = {**self.objects, "trainer": _Position(engine)}
        schedules = {part: _settings(part) for part in self.objects.values() if isinstance(part, CosineAnnealingLR)}
        try:
            state = torch.load(stored[-1], map_location=device, weights_only=True)
            Checkpoint.load_objects(objects, state)
        except (RuntimeError, ValueError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise broken_rule(
                stored[-1],
                "the state of this training",
                f"another one ({reason})",
                "delete it or choose another run_dir",
            ) from error
        # A kill between writing the newest and deleting the one before leaves both.
        self.remove_older(engine)
        epoch, epochs = engine.state.epoch, engine.state.max_epochs
        engine.logger.info("goes on after epoch %d of %s, stored in %s", epoch, epochs, stored[-1])
        if epochs is not None and epoch >= epochs:
            engine.logger.warning(
                "%s: expected fewer than %d epochs, found %d: nothing is left to train; to train on other data or "
                "afresh, choose another run_dir",
                stored[-1],
                epochs,
                epoch,
            )
        for schedule, settings in schedules.items():
            if _settings(schedule) != settings:
                _apply(schedule, settings)
                engine.logger.info("learning rate goes on by %s, not by the schedule of %s", settings, stored[-1])

    def remove_older(self, engine: Engine) -> None:
        """Delete all states but the newest, those of an interrupted run too."""
        if idist.get_rank() == 0:
            for path in self._stored()[:-1]:
                path.unlink()

    def _stored(self) -> list[Path]:
        """Files of states, the newest last."""
        found = self.run_dir.glob("resume_checkpoint_*.pt")
        # Copies that somebody has made beside them are not ours.
        epochs = {path: path.stem.removeprefix("resume_checkpoint_") for path in found}
        return sorted((path for path in epochs if epochs[path].isdecimal()), key=lambda path: int(epochs[path]))


def _settings(schedule: CosineAnnealingLR) -> dict[str, Any]:
    """What the user has asked for, and not how far it has got."""
    return {name: getattr(schedule, name) for name in ("T_max", "eta_min", "base_lrs")}


def _apply(schedule: CosineAnnealingLR, settings: Mapping[str, Any]) -> None:
    """Set the learning rate to that of other settings at the epoch of the schedule, which goes on from there."""
    vars(schedule).update(settings)
    fraction = (1 + math.cos(math.pi * schedule.last_epoch / schedule.T_max)) / 2
    for group, base in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
        group["lr"] = schedule.eta_min + (base - schedule.eta_min) * fraction


class _Position:
    """Epoch and iteration of an engine, without length and number of the epochs: both may change when it goes on."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.engine.state.epoch, "iteration": self.engine.state.iteration}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.engine.state.epoch = state["epoch"]
        # Epochs of another length, as with other batches or processes, would else end the run too early or too late.
        length = self.engine.state.epoch_length
        self.engine.state.iteration = state["iteration"] if length is None else state["epoch"] * length
