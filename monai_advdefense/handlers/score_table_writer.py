"""Write the scores of a detector that runs on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.handlers.each_volume import EachVolume
from monai_advdefense.ras_affine import ras_affine
from monai_advdefense.report import Case, case_from_scores, case_to_csv, case_to_json, slice_positions
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

__all__ = ["ScoreTableWriter"]


class ScoreTableWriter(EachVolume):
    """Ignite handler that writes ``NAME_scores.csv`` and ``NAME_scores.json`` for each volume.

    For an evaluator whose network is the detector itself, run slice by slice: its prediction is the volume of the
    residuals.

    Args:
        outputs: where the results lie.
        run_log: where to record a volume that could not be written.
        network: the detector that the evaluator runs.
        slice_dim: spatial axis of the volume that counts the slices; 1 is coronal.
        image_key: name of the preprocessed image ``(1, X, Y, Z)``, whose metadata tell the path of the input.
        residual_key: name of the residuals, a tensor of the same shape.

    Raises:
        OutputError: when the run starts, if the folder of the results cannot be made or written.
    """

    missing = "no scores"

    def __init__(
        self,
        outputs: Outputs,
        run_log: RunLog,
        network: ReconstructionDetector,
        *,
        slice_dim: int,
        image_key: str = "image",
        residual_key: str = "pred",
    ) -> None:
        super().__init__(outputs, run_log, image_key)
        self.network = network
        self.slice_dim = slice_dim
        self.residual_key = residual_key

    def write(self, source: str, output: dict[str, Any]) -> Path:
        """Write the scores of a volume."""
        case = self._case(source, output[self.image_key], output[self.residual_key])
        for suffix, text in ((".csv", case_to_csv(case)), (".json", case_to_json(case))):
            target = self.outputs.path(source, "scores", suffix)
            with atomic_path(target) as temporary:
                temporary.write_text(text, encoding="utf-8", newline="")
        return target

    @torch.no_grad()
    def _case(self, source: str, image: Any, residual: Any) -> Case:
        image_slices = image.as_tensor().movedim(self.slice_dim + 1, 0)
        residual_slices = torch.as_tensor(residual).movedim(self.slice_dim + 1, 0)
        scores = self.network.residual_score(residual_slices)
        axis, positions = slice_positions(
            ras_affine(image).cpu().numpy(),
            tuple(image.shape[1:]),
            self.slice_dim,
            ras_affine(image, image.meta["original_affine"]).cpu().numpy(),
        )
        return case_from_scores(
            scores,
            self.network.decide(image_slices, scores),
            is_blank(image_slices),
            threshold=float(self.network.threshold),
            positions=positions,
            input_path=source,
            segmentation_path="",
            position_axis=axis,
        )
