"""From a perturbation of a preprocessed image to an attacked image in the units of the input."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["to_input_units"]


def to_input_units(
    original: Tensor, perturbation: Tensor, low: float, high: float, *, background: float = 0.0
) -> Tensor:
    """Add a perturbation to an image whose intensities ``low`` to ``high`` preprocessing maps to [0, 1], clipped.

    Only voxels above the background are changed, and they stay above it: their smallest value is that of the original.
    So the brain mask is the same, and the attacked image is cropped and scaled nearly as the original is. The range
    itself may move a little with the intensities: measure an attack on what preprocessing makes of the result.

    Args:
        original: image in input units ``(*spatial)``, of any shape.
        perturbation: what an attack adds to the preprocessed image, on the grid of the original.
        low: intensity that becomes 0.
        high: intensity that becomes 1.
        background: intensity of what is not to be attacked, such as -1000 for air in Hounsfield units.

    Returns:
        Attacked image in input units, in the type of the perturbation; the original where the perturbation is 0.

    Example:
        >>> original = torch.tensor([0.0, 10.0, 50.0, 100.0, 140.0])
        >>> to_input_units(original, torch.tensor([0.2, -0.3, 0.1, 0.0, -0.2]), low=0.0, high=100.0)
        tensor([  0.0000,  10.0000,  60.0000, 100.0000,  80.0000])
    """
    image = original.to(perturbation)
    brain = image > background
    smallest = image[brain].min() if brain.any() else image.new_tensor(0.0)
    # Intensities beyond the range are clipped before the perturbation meets them.
    scaled = ((image - low) / (high - low)).clamp(0, 1) + perturbation
    attacked = (scaled.clamp(0, 1) * (high - low) + low).clamp_min(smallest)
    return torch.where(brain & (perturbation != 0), attacked, image)
