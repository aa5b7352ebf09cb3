"""PredictionByResolution: one model for predictions on volumes on their own grid, one for those resampled to it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from monai_advdefense.guard.prediction_typicality import PredictionNumbers, PredictionTypicality
from monai_advdefense.guard.scores.native_resolution import is_resampled

__all__ = ["PredictionByResolution"]


class PredictionByResolution(nn.Module):
    """Scores predictions by the model that fits how their images came to the grid.

    Args:
        num_classes: number of classes of the segmenter, background included.

    Raises:
        InputError: there are fewer than 2 classes.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.on_grid = PredictionTypicality(num_classes)
        self.resampled = PredictionTypicality(num_classes)

    def load(self, on_grid: PredictionTypicality, resampled: PredictionTypicality | None = None) -> None:
        """Take the numbers of fitted models; without the second one no resampled volume is judged."""
        self.on_grid.load_state_dict(on_grid.state_dict())
        if resampled is not None:
            self.resampled.load_state_dict(resampled.state_dict())
            return
        # What scores the image lets no slice of such a volume be judged.
        for buffer in self.resampled.buffers():
            buffer.zero_()

    def forward(
        self, numbers: PredictionNumbers, native: Sequence[float] | None = None, neighbours: Tensor | None = None
    ) -> Tensor:
        """Return the scores ``(S, 3)``, higher is more suspicious. Differentiable by the numbers.

        Args:
            numbers: of all slices of a volume in their order.
            native: voxel size of the scan as a share of the grid's; None for a scan on the grid itself.
            neighbours: see :meth:`~.prediction_typicality.PredictionTypicality.forward` ``(S, C)``.
        """
        on_grid = native is None or not is_resampled(native)
        found: Tensor = (self.on_grid if on_grid else self.resampled)(numbers, neighbours)
        return found
