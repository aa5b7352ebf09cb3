"""Scores and decisions of the detector, gathered while the network runs."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from monai_advdefense.errors import InputError

__all__ = ["ScoreRecorder"]


class ScoreRecorder:
    """Keep the detector's scores and decisions of the current iteration, in slice order.

    A forward hook on ``network.detector`` sees every group of slices that a sliding window passes through the network.
    It is there only while an iteration runs, so the network keeps no state and nothing is computed a second time.
    After the iteration other handlers read :attr:`scores`, :attr:`accepted` and :attr:`blank`; the values stay until
    the next iteration starts.

    Args:
        network: a :class:`~monai_advdefense.networks.DefendedSegmenter`, or any module with such a ``detector``.

    Raises:
        InputError: if ``network`` has no detector module.
    """

    def __init__(self, network: nn.Module) -> None:
        detector = getattr(network, "detector", None)
        if not isinstance(detector, nn.Module):
            raise InputError(
                f"network: expected a module with a submodule 'detector', found {type(network).__name__} without one; "
                "give the DefendedSegmenter itself"
            )
        self.detector: Any = detector
        self._groups: list[tuple[Tensor, Tensor, Tensor]] = []
        self._hook: RemovableHandle | None = None

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._stop)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    @property
    def scores(self) -> Tensor:
        """Score of every slice, ``(N,)`` float32 on the CPU; higher is more suspicious."""
        return self._gathered(0, torch.float32)

    @property
    def accepted(self) -> Tensor:
        """Decision for every slice, ``(N,)`` bool on the CPU; False is rejected."""
        return self._gathered(1, torch.bool)

    @property
    def blank(self) -> Tensor:
        """Whether a slice has no voxel above 0, ``(N,)`` bool on the CPU."""
        return self._gathered(2, torch.bool)

    def _gathered(self, part: int, dtype: torch.dtype) -> Tensor:
        groups = [group[part] for group in self._groups]
        return torch.cat(groups).to("cpu", dtype) if groups else torch.empty(0, dtype=dtype)

    def _start(self, _: Engine) -> None:
        self._remove_hook()
        self._groups = []
        self._hook = self.detector.register_forward_hook(self._record)

    def _stop(self, _: Engine) -> None:
        self._remove_hook()

    def _fail(self, _: Engine, error: BaseException) -> None:
        self._remove_hook()
        # ignite swallows an exception as soon as one handler listens for it.
        raise error

    def _remove_hook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    @torch.no_grad()
    def _record(self, _: nn.Module, inputs: tuple[Tensor, ...], residual: Tensor) -> None:
        image = inputs[0]
        score = self.detector.residual_score(residual)
        self._groups.append((score, self.detector.decide(image, score), self.detector.is_blank(image)))
