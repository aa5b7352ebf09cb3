"""Random images, and the generator that draws."""

from __future__ import annotations

import torch


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*spatial, low=0.0, high=1.0):
    return low + (high - low) * torch.rand(3, 2, *spatial, generator=seeded())
