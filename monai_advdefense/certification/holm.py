"""Holm's step-down procedure: many hypotheses, one chance for all of them to be wrongly rejected."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["holm_cut"]


def holm_cut(p_values: Tensor, alpha: float) -> float:
    """Largest p-value whose hypothesis is rejected, so that any is wrongly rejected with probability at most ``alpha``.

    It needs no independence between the hypotheses, and rejects all that Bonferroni's correction does.

    Args:
        p_values: of any shape.
        alpha: largest chance of any wrong rejection, in (0, 1).

    Returns:
        Reject what is at or below it; -1 if nothing is rejected.

    Source:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979).

    Example:
        >>> holm_cut(torch.tensor([0.015625, 0.01, 0.04, 0.9]), 0.05)  # limits are 0.05 / 4, / 3, / 2, / 1
        0.015625
    """
    ordered = p_values.flatten().double().sort().values
    limits = alpha / torch.arange(len(ordered), 0, -1, dtype=torch.float64, device=ordered.device)
    refused = torch.nonzero(ordered > limits).flatten()
    rejected = int(refused[0]) if len(refused) else len(ordered)
    if not rejected:
        return -1.0
    # The limits rise: of equal p-values all are rejected or none.
    return float(ordered[rejected - 1])
