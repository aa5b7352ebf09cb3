"""Keep the weights of the best validation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import save_weights

__all__ = ["BestWeights"]


class BestWeights:
    """Write the network's weights whenever a validation beats all before it.

    Has a state, so that a resumed training does not replace better weights by worse ones.

    Args:
        network: the network that is trained.
        path: file of the weights, ``model.pt`` of the bundle.
        metric: name of the metric of the validation engine.
        best: whether the largest or the smallest value is best.
        calibrated: part of the network whose numbers were calibrated for other weights; saved as NaN, which is "not
            calibrated".

    Raises:
        InputError: for another word than ``max`` or ``min``; in the run, if the engine has no such metric.
        OutputError: in the run, if the file cannot be written.
    """

    def __init__(
        self,
        network: nn.Module,
        path: str | Path,
        metric: str,
        best: Literal["max", "min"] = "max",
        calibrated: nn.Module | None = None,
    ) -> None:
        if best not in ("max", "min"):
            raise broken_rule("best", "'max' or 'min'", repr(best), "choose one of them")
        self.network = network
        self.path = path
        self.metric = metric
        self.calibrated = calibrated
        self.sign = 1.0 if best == "max" else -1.0
        self.best = -math.inf

    def attach(self, engine: Engine) -> None:
        """Register on the validation engine."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Compare the validation that ended with the best one."""
        if self.metric not in engine.state.metrics:
            raise broken_rule(
                "metric",
                f"one of {', '.join(engine.state.metrics) or 'none'}",
                f"{self.metric!r}",
                "name a metric of the validation",
            )
        for numbers in self.calibrated.buffers() if self.calibrated is not None else ():
            numbers.fill_(math.nan)
        value = self.sign * float(engine.state.metrics[self.metric])
        if value > self.best:
            self.best = value
            if idist.get_rank() == 0:
                save_weights(self.network, self.path)
                # New weights have no calibrated threshold: a record of the old one would say otherwise.
                Path(self.path).with_suffix(".calibration.json").unlink(missing_ok=True)

    def state_dict(self) -> dict[str, float]:
        """Best value so far, larger is better."""
        return {"best": self.best}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the best value."""
        self.best = state["best"]
