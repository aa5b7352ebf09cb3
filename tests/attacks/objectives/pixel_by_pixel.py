"""Logits and classes of three images, and losses of them summed in plain Python."""

from __future__ import annotations

import torch

LOGITS = torch.randn(3, 5, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.randint(5, (3, 6, 7), generator=torch.Generator().manual_seed(1))
TARGETS[0, :2] = -100


def summed(loss):
    """Sum over the targeted pixels of each image of a loss of softmax and class."""
    sums = [0.0] * 3
    for image, row, column in (TARGETS >= 0).nonzero().tolist():
        logits, wanted = LOGITS[image, :, row, column], int(TARGETS[image, row, column])
        sums[image] += loss((logits.exp() / logits.exp().sum()).tolist(), wanted)
    return torch.tensor(sums, dtype=torch.float64)


def is_right(probabilities, wanted):
    return probabilities[wanted] == max(probabilities)
