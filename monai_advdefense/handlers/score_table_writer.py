"""Write the scores of a detector that runs on its own."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.guard.decision import is_blank
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.handlers.output_dir import OutputDir
from monai_advdefense.handlers.output_path import output_path
from monai_advdefense.handlers.recorded_failure import recorded_failure
from monai_advdefense.report import Case, case_from_scores, case_to_csv, case_to_json, slice_positions

__all__ = ["ScoreTableWriter"]


class ScoreTableWriter:
    """Ignite handler that writes ``NAME_scores.csv`` and ``NAME_scores.json`` for each volume.

    For an evaluator whose network is the detector itself, run slice by slice: its prediction is the volume of the
    residuals. The path mirrors the input's, see :func:`~monai_advdefense.handlers.output_path.output_path`.

    Args:
        output_dir: folder of the results.
        dataset_dir: folder of the inputs, or the one input file.
        network: the detector that the evaluator runs.
        slice_dim: spatial axis of the volume that counts the slices; 1 is coronal.
        image_key: name of the preprocessed image ``(1, X, Y, Z)``, whose metadata tell the path of the input.
        residual_key: name of the residuals, a tensor of the same shape.
        dataset: where to record a volume whose scores could not be written, so that the run goes on with the next;
            without it the error is raised.

    Raises:
        OutputError: when the run starts, if the folder of the results cannot be made or written; in the run, if
            a table cannot be written and there is no ``dataset``.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        dataset_dir: str | os.PathLike[str],
        network: ReconstructionDetector,
        *,
        slice_dim: int = 1,
        image_key: str = "image",
        residual_key: str = "pred",
        dataset: VolumeDataset | None = None,
    ) -> None:
        self.output_dir = output_dir
        self.dataset_dir = dataset_dir
        self.network = network
        self.slice_dim = slice_dim
        self.image_key = image_key
        self.residual_key = residual_key
        self.dataset = dataset

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of ``engine``."""
        OutputDir(self.output_dir).attach(engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Write the scores of the volumes of the current iteration."""
        for output in engine.state.output:
            source = str(output[self.image_key].meta["filename_or_obj"])
            with recorded_failure(self.dataset, source, "no scores"):
                case = self._case(source, output[self.image_key], output[self.residual_key])
                for suffix, text in ((".csv", case_to_csv(case)), (".json", case_to_json(case))):
                    target = output_path(source, self.dataset_dir, self.output_dir, "scores", suffix)
                    with atomic_path(target) as temporary:
                        temporary.write_text(text, encoding="utf-8", newline="")
                engine.logger.info("wrote %s", target)

    @torch.no_grad()
    def _case(self, source: str, image: Any, residual: Any) -> Case:
        image_slices = image.as_tensor().movedim(self.slice_dim + 1, 0)
        residual_slices = torch.as_tensor(residual).movedim(self.slice_dim + 1, 0)
        scores = self.network.residual_score(residual_slices)
        axis, positions = slice_positions(
            np.asarray(image.affine.cpu()),
            tuple(image.shape[1:]),
            self.slice_dim,
            np.asarray(image.meta["original_affine"], dtype=float),
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
