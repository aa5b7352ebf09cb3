"""Scores and decisions of the guard, gathered while the network runs."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_advdefense.guard.decision import Decided
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.screen import Screen, Screened
from monai_advdefense.messages import broken_rule

__all__ = ["ScoreRecorder"]


class ScoreRecorder:
    """Keep the guard's scores and decisions of the current iteration, in slice order.

    A forward hook on what decides sees it: on ``network.decision`` every group of slices that a sliding window passes
    through the network, on a screen every volume. It is there only while the evaluator's inferer runs, so the network
    keeps no state and nothing is computed a second time. After it other handlers read :attr:`scores`, :attr:`accepted`
    and :attr:`blank`; the values stay until the inferer runs again.

    Args:
        network: the guard that the evaluator runs, without a wrapper.
        screen: what decides in its place, if the evaluator's inferer has one.

    Attributes:
        screened: what the screen said of the volume; None without a screen.

    Raises:
        InputError: if ``network`` is no defended segmenter.
    """

    def __init__(self, network: DefendedSegmenter, screen: Screen | None = None) -> None:
        if not isinstance(network, DefendedSegmenter):
            raise broken_rule(
                "network", "a DefendedSegmenter", type(network).__name__, "give the guard itself, without a wrapper"
            )
        self.network = network
        self.screen = screen
        self.screened: Screened | None = None
        # Numbers, not tensors: small blocks between the large ones of the network would fragment the memory.
        self._scores: list[float] = []
        self._accepted: list[bool] = []
        self._blank: list[bool] = []

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        # MONAI attaches handlers before the evaluator has its inferer.
        engine.add_event_handler(Events.STARTED, self._wrap_inferer)

    def _wrap_inferer(self, engine: Any) -> None:
        """Let the inferer run with the hook, which no exception leaves behind."""
        engine.remove_event_handler(self._wrap_inferer, Events.STARTED)
        inferer = engine.inferer

        def recorded(*args: Any, **kwargs: Any) -> Any:
            self._scores, self._accepted, self._blank, self.screened = [], [], [], None
            with (self.screen or self.network.decision).register_forward_hook(self._record):
                return inferer(*args, **kwargs)

        engine.inferer = recorded

    @property
    def scores(self) -> Tensor:
        """Score of every slice, ``(N,)`` float32 on the CPU; higher is more suspicious."""
        return torch.tensor(self._scores, dtype=torch.float32)

    @property
    def accepted(self) -> Tensor:
        """Decision for every slice, ``(N,)`` bool on the CPU; False is rejected."""
        return torch.tensor(self._accepted, dtype=torch.bool)

    @property
    def blank(self) -> Tensor:
        """Whether a slice is blank, ``(N,)`` bool on the CPU."""
        return torch.tensor(self._blank, dtype=torch.bool)

    @property
    def threshold(self) -> float:
        """Threshold of the score in use; NaN is "not calibrated"."""
        return float(self.network.threshold if self.screen is None else self.screen.threshold)

    def _record(self, _: nn.Module, __: tuple[Any, ...], decided: Decided | Screened) -> None:
        self.screened = decided if isinstance(decided, Screened) else None
        self._scores += decided.score.tolist()
        self._accepted += decided.accepted.tolist()
        self._blank += decided.blank.tolist()
