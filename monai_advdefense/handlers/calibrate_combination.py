"""Calibrate the combined score of a defended segmenter on clean images and store it in the checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from monai_advdefense.guard.calibration import standardization, threshold_over_domains
from monai_advdefense.guard.decision import CombinedDecision
from monai_advdefense.handlers.calibrate_threshold import CalibrateThreshold
from monai_advdefense.messages import broken_rule

__all__ = ["CalibrateCombination"]


class CalibrateCombination(CalibrateThreshold):
    """Score clean slices during an evaluation and, at its end, calibrate ``network.decision`` and store it.

    For a ``SupervisedEvaluator`` whose prediction is what ``network.scores`` gives for a batch, the spectral and the
    divergence score ``(B, 2)``. Center and scale are those of the slices of all domains together; the threshold keeps
    the rate in each domain. It does not matter whether the network decides by the sum.

    In all else as :class:`~monai_advdefense.handlers.CalibrateThreshold`; the record also holds center and scale, and
    the scores in it are the combined ones.

    Args:
        network: the :class:`~monai_advdefense.guard.DefendedSegmenter` that the evaluator runs, without a parallel
            wrapper.
        save_path: file of the weights to write or replace.
        false_positive_rate: share of clean slices of a domain that may be rejected, between 0 and 1.
        domain_key: entry of the batch with the domain's name of each slice; where it is ``None`` or a batch lacks it,
            the slices belong to one domain, ``"all"``.

    Raises:
        InputError: if the rate is not between 0 and 1; in the run, if the prediction does not hold two scores for each
            slice, or the names of the domains do not fit the batch.
        CalibrationError: in the run, if there are too few scores, one is not finite, or all of a kind are the same.
        OutputError: in the run, if a file cannot be written.
    """

    def score(self, prediction: Tensor) -> Tensor:
        """Take the scores ``(B, 2)`` as they are."""
        if prediction.ndim != 2 or prediction.shape[1] != 2:
            raise broken_rule(
                "prediction",
                "a spectral and a divergence score (B, 2)",
                tuple(prediction.shape),
                "let the evaluator's inferer return network.scores(image)",
            )
        return prediction

    def fit(self, scores: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, list[float]]]:
        """Standardize, add up, and find the threshold of the sums."""
        center, scale = standardization([pair for pairs in scores.values() for pair in pairs])
        fitted = CombinedDecision()
        fitted.center.copy_(torch.from_numpy(center))
        fitted.scale.copy_(torch.from_numpy(scale))
        # In the precision in which the network decides, so that the threshold is one of its scores.
        combined = {name: fitted.combine(torch.tensor(pairs).reshape(-1, 2)).tolist() for name, pairs in scores.items()}
        fitted.threshold.fill_(threshold_over_domains(combined, self.false_positive_rate))
        self.network.decision.load_state_dict(fitted.state_dict())
        return {key: value.tolist() for key, value in fitted.state_dict().items()}, combined
