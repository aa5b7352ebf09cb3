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

    Forward hooks see every group of slices that a sliding window passes through the network. They are there only while
    an iteration runs, so the network keeps no state and nothing is computed a second time. After the iteration other
    handlers read :attr:`scores`, :attr:`accepted` and :attr:`blank`; the values stay until the next iteration starts.
    Attach it before handlers that end the run on an exception.

    Args:
        network: a :class:`~monai_advdefense.networks.DefendedSegmenter`, the one that the evaluator runs.

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
        self.network = network
        self.detector: Any = detector
        self._scores: list[Tensor] = []
        self._accepted: list[Tensor] = []
        self._blank: list[Tensor] = []
        self._hooks: list[RemovableHandle] = []

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        engine.add_event_handler(Events.ITERATION_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._stop)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    @property
    def scores(self) -> Tensor:
        """Score of every slice, ``(N,)`` float32 on the CPU; higher is more suspicious."""
        return _gathered(self._scores, torch.float32)

    @property
    def accepted(self) -> Tensor:
        """Decision for every slice, ``(N,)`` bool on the CPU; False is rejected."""
        return _gathered(self._accepted, torch.bool)

    @property
    def blank(self) -> Tensor:
        """Whether a slice has no voxel above 0, ``(N,)`` bool on the CPU."""
        return _gathered(self._blank, torch.bool)

    def _start(self, _: Engine) -> None:
        self._remove_hooks()
        self._scores, self._accepted, self._blank = [], [], []
        self._hooks = [
            self.detector.register_forward_hook(self._record),
            self.network.register_forward_hook(self._record_refusal),
        ]

    def _stop(self, _: Engine) -> None:
        self._remove_hooks()

    def _fail(self, engine: Engine, error: BaseException) -> None:
        self._remove_hooks()
        # ignite drops an exception that a handler listens for; raised too early, it would not reach the later handlers.
        if engine._event_handlers[Events.EXCEPTION_RAISED][-1][0] == self._fail:
            raise error

    def _remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @torch.no_grad()
    def _record(self, _: nn.Module, inputs: tuple[Tensor, ...], residual: Tensor) -> None:
        image = inputs[0]
        score = self.detector.residual_score(residual)
        self._scores.append(score)
        self._accepted.append(self.detector.decide(image, score))
        self._blank.append(self.detector.is_blank(image))

    @torch.no_grad()
    def _record_refusal(self, _: nn.Module, __: tuple[Tensor, ...], logits: Tensor) -> None:
        # The network also rejects what its segmenter cannot handle; "rejected" wins everywhere in a slice or nowhere.
        first_voxel = logits.flatten(2)[:, :, 0]
        self._accepted[-1] = self._accepted[-1] & (first_voxel[:, -1] < first_voxel[:, 0])


def _gathered(groups: list[Tensor], dtype: torch.dtype) -> Tensor:
    return torch.cat(groups).to("cpu", dtype) if groups else torch.empty(0, dtype=dtype)
