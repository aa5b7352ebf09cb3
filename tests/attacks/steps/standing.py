"""Where a walk stands: two images of equal pixels, and a gradient."""

from __future__ import annotations

import torch

from monai_advdefense.attacks.steps import Here

IMAGE = torch.full((2, 1, 2, 2), 0.5)
GRADIENT = torch.tensor([[3.0, -4.0], [0.0, 12.0]]).expand(2, 1, 2, 2)


def here(gradient, index=0, n_steps=20):
    return Here(IMAGE, torch.zeros(2), gradient, index, n_steps)
