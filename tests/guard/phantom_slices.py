from __future__ import annotations

import torch

from monai_advdefense.data.phantom import brain_phantom


def phantom_slices(seed):
    """Coronal slices ``(30, 1, 40, 40)`` in [0, 1] of a phantom."""
    image, _ = brain_phantom((40, 30, 40), seed=seed)
    return (torch.from_numpy(image / 2000).float().movedim(1, 0))[:, None]
