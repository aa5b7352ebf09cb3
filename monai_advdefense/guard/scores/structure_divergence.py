"""Score of the divergence between two predictions, structure by structure."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.guard.divergence import structure_divergence
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.guard.scores.structure_standardization import StructureStandardization

__all__ = ["StructureDivergence"]

# Fewer pixels of a structure say too little.
FEWEST_PIXELS = 5
# A divergence under this is rounding.
SMALLEST = 1e-7


class StructureDivergence(nn.Module):
    """Mean over the predicted structures of the standardized logarithm of their divergence.

    A temperature above 1 shows differences between predictions that are almost certain; the logarithm keeps a few
    slices of strong divergence from making the scale; each structure is compared with its own divergence on clean
    slices at this position and of this area. What cannot be seen: an attack that misleads the predictions on the image
    and on the reformed image alike.

    Args:
        num_classes: number of classes of the segmenter, background included.
        temperature: divides the logits.

    Source:
        Meng, Chen, "MagNet" (CCS 2017), detector based on probability divergence.
    """

    def __init__(self, num_classes: int, *, temperature: float = 4.0) -> None:
        super().__init__()
        self.temperature = float(temperature)
        self.structures = StructureStandardization(num_classes)
        self.mean = Standardization(1)

    @torch.jit.export
    def divergence(self, logits: Tensor, other: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """See :func:`~monai_advdefense.guard.divergence.structure_divergence`, at the temperature of this score."""
        return structure_divergence(logits, other, image, self.temperature)

    def forward(self, divergence: Tensor, count: Tensor, position: Tensor, log_area: Tensor) -> Tensor:
        """Return the scores ``(B,)``, higher is more suspicious; 0 on average over clean slices. Differentiable.

        Args:
            divergence: mean divergence of each predicted class ``(B, C)``, as :meth:`divergence` gives it.
            count: number of pixels of each class ``(B, C)``.
            position: place of each slice in the object's extent ``(B,)`` in [0, 1].
            log_area: logarithm of the object's area in the slice ``(B,)``.
        """
        return self.mean(self._mean(divergence, count, position), position, log_area)[:, 0]

    @torch.jit.unused
    def fit(self, divergence: Tensor, count: Tensor, position: Tensor, log_area: Tensor) -> None:
        """Fit on clean slices that show enough of the object to be judged; arguments as of :meth:`forward`.

        Raises:
            InputError: see :meth:`StructureStandardization.fit`.
            CalibrationError: see there.
        """
        present = count >= FEWEST_PIXELS
        self.structures.fit(_log(divergence), position, _log_count(count), present)
        self.mean.fit(self._mean(divergence, count, position), position, log_area)

    def _mean(self, divergence: Tensor, count: Tensor, position: Tensor, fewest: int = FEWEST_PIXELS) -> Tensor:
        """Mean of the z values ``(B, 1)`` over the structures that are there."""
        z = self.structures(_log(divergence), position, _log_count(count))
        present = (count >= fewest).to(z.dtype)
        return ((z * present).sum(dim=1) / present.sum(dim=1).clamp_min(1.0)).unsqueeze(1)


def _log(divergence: Tensor, smallest: float = SMALLEST) -> Tensor:
    return torch.log(divergence + smallest)


def _log_count(count: Tensor) -> Tensor:
    return torch.log(count.to(torch.float32).clamp_min(1.0))
