"""What a score is worth for leaving images out: the risk of the accepted ones at each coverage."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monai_advdefense.guard.calibration import Scores, finite_scores
from monai_advdefense.messages import broken_rule

__all__ = ["risk_coverage_curve"]

_Floats: TypeAlias = npt.NDArray[np.float64]


def risk_coverage_curve(scores: Scores, losses: Scores) -> tuple[_Floats, _Floats]:
    """Mean loss of the accepted images against their share, for every threshold.

    Args:
        scores: scores of images ``(N,)``, higher is more suspicious and rejected first; tied ones go together.
        losses: what accepting an image costs ``(N,)``, for example 1 where its segmentation is bad and 0 elsewhere.

    Returns:
        Coverage ``(T,)``, rising to 1, and risk ``(T,)``, one entry for each distinct score.

    Raises:
        InputError: if there are no images, the lengths differ, or a number is not finite.

    Source:
        El-Yaniv, Wiener 2010, "On the Foundations of Noise-free Selective Classification".

    Example:
        >>> coverage, risk = risk_coverage_curve([1.0, 2.0, 3.0, 3.0], [0.0, 0.0, 1.0, 0.0])
        >>> coverage.tolist(), risk.tolist()
        ([0.25, 0.5, 1.0], [0.0, 0.0, 0.25])
    """
    suspicion, cost = finite_scores(scores, "scores"), finite_scores(losses, "losses")
    if not suspicion.size or suspicion.size != cost.size:
        raise broken_rule(
            "scores, losses",
            "one of each for every image",
            f"{suspicion.size} and {cost.size}",
            "give them in the same order and of the same images",
        )
    levels, level = np.unique(suspicion, return_inverse=True)
    accepted = np.bincount(level, minlength=levels.size).cumsum()
    risk: _Floats = np.bincount(level, cost, levels.size).cumsum() / accepted
    return accepted / suspicion.size, risk
