"""Calibrate a detector's threshold on clean images and store it in the checkpoint."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, cast

import ignite.distributed as idist
import numpy as np
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys
from torch import Tensor, nn

from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.calibration import minimum_scores, threshold_at_false_positive_rate, threshold_over_domains
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import save_calibrated

__all__ = ["CalibrateThreshold"]

ONE_DOMAIN = "all"
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class CalibrateThreshold:
    """Score clean slices during an evaluation and, at its end, store the threshold that keeps the rate.

    For a ``SupervisedEvaluator`` whose network is the detector itself: its prediction is the residual
    ``(B, C, *spatial)``, from which the network scores each slice. Blank slices are always accepted and do not count.
    With slices of several domains the threshold keeps the rate in each of them.

    At the end the threshold is in ``network.threshold``, the flat state dict of the network is in ``save_path``, and a
    record (rate, threshold, and counts, threshold and quantiles of the scores for each domain) lies beside it, as
    ``model.calibration.json`` for ``model.pt``. If the calibration fails, both files stay as they were. In a
    distributed run the scores of all processes count and the first process writes; let the sampler not repeat slices
    (``even_divisible=False``).

    Args:
        network: the :class:`~monai_advdefense.guard.ReconstructionDetector` that the evaluator runs, without a
            parallel wrapper.
        save_path: file of the weights to write or replace.
        false_positive_rate: share of clean slices of a domain that may be rejected, between 0 and 1.
        domain_key: entry of the batch with the domain's name of each slice; where it is ``None`` or a batch lacks it,
            the slices belong to one domain, ``"all"``.

    Raises:
        InputError: if the rate is not between 0 and 1; in the run, if the names of the domains do not fit the batch.
        CalibrationError: in the run, if there are too few scores, or one is not finite.
        OutputError: in the run, if a file cannot be written.
    """

    def __init__(
        self,
        network: nn.Module,
        save_path: str | Path,
        *,
        false_positive_rate: float = 0.05,
        domain_key: str | None = "domain",
    ) -> None:
        # A rate that cannot be met must not be found out after all slices were scored.
        minimum_scores(false_positive_rate)
        self.network: Any = network
        self.save_path = Path(save_path)
        self.false_positive_rate = false_positive_rate
        self.domain_key = domain_key
        self._scores: dict[str, list[Any]] = defaultdict(list)
        self._blank: Counter[str] = Counter()

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        # Later in an iteration the evaluator takes the batch apart and post-processes it.
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.calibrate)

    def start(self, engine: Engine) -> None:
        """Forget the slices of an earlier run."""
        self._scores, self._blank = defaultdict(list), Counter()

    def collect(self, engine: Engine) -> None:
        """Score the slices of one batch."""
        output: Any = engine.state.output
        scores = self.score(output[CommonKeys.PRED]).double().tolist()
        blank = is_blank(output[CommonKeys.IMAGE]).tolist()
        for name, score, empty in zip(self._domains(engine.state.batch, len(scores)), scores, blank, strict=True):
            # A domain of blank slices alone must appear, so that it is found to have too few scores.
            self._scores[name].extend([] if empty else [score])
            self._blank[name] += empty

    def calibrate(self, engine: Engine) -> None:
        """Compute the threshold from the slices of all processes and write it."""
        scores: dict[str, list[Any]] = defaultdict(list)
        blank: Counter[str] = Counter()
        gathered = idist.all_gather((dict(self._scores), self._blank))
        for process_scores, process_blank in cast(list[tuple[dict[str, list[Any]], Counter[str]]], gathered):
            blank.update(process_blank)
            for name, values in process_scores.items():
                scores[name].extend(values)
        calibration, decisive = self.fit(scores)
        if idist.get_rank() == 0:
            save_calibrated(self.network, self.save_path, self._record(calibration, decisive, blank))

    def score(self, prediction: Tensor) -> Tensor:
        """Scores of the slices of a batch ``(B,)`` or, of several kinds, ``(B, S)``, from the prediction."""
        scores: Tensor = self.network.residual_score(prediction)
        return scores

    def fit(self, scores: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, list[float]]]:
        """Calibrate the network by the scores of each domain.

        Returns:
            What the record says of the calibration, and the scores of each domain to which the threshold applies.
        """
        self.network.threshold.fill_(threshold_over_domains(scores, self.false_positive_rate))
        return {"threshold": float(self.network.threshold)}, scores

    def _domains(self, batch: Any, count: int) -> list[str]:
        """Domain of each slice of a batch."""
        if self.domain_key is None or not hasattr(batch, "keys") or self.domain_key not in batch:
            return [ONE_DOMAIN] * count
        names = batch[self.domain_key]
        if not isinstance(names, (list, tuple)) or len(names) != count or not all(isinstance(n, str) for n in names):
            raise broken_rule(
                f"batch entry {self.domain_key!r}",
                f"{count} names, one for each slice",
                repr(names),
                "give every slice of the data set its domain as a string, or set domain_key to null",
            )
        return list(names)

    def _record(
        self, calibration: dict[str, Any], scores: dict[str, list[float]], blank: Counter[str]
    ) -> dict[str, Any]:
        """What the JSON file beside the weights says."""
        return {
            "false_positive_rate": self.false_positive_rate,
            **calibration,
            "domains": {
                name: {
                    "slices": len(scores[name]),
                    "blank_slices": blank[name],
                    "threshold": threshold_at_false_positive_rate(scores[name], self.false_positive_rate),
                    "score_quantiles": {f"{q:g}": float(np.quantile(scores[name], q)) for q in QUANTILES},
                }
                for name in sorted(scores)
            },
        }
