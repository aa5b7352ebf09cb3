"""Write scores and a report beside every segmentation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from torch import nn

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.handlers.older_result import remove_older_result
from monai_advdefense.handlers.output_path import output_path
from monai_advdefense.handlers.score_recorder import ScoreRecorder
from monai_advdefense.messages import one_line, reason
from monai_advdefense.report import (
    BundleFacts,
    Case,
    Provenance,
    bundle_facts,
    case_from_scores,
    case_to_csv,
    case_to_html,
    case_to_json,
    plane_of,
    slice_positions,
    slice_views,
)
from monai_advdefense.weights import calibrated_rate, file_sha256

__all__ = ["ReportWriter"]

_MAX_SUSPICIOUS = 6


class ReportWriter:
    """Ignite handler that writes ``NAME_scores.csv``, ``NAME_scores.json`` and ``NAME_report.html`` for each volume.

    They lie beside the segmentation, see :func:`~monai_advdefense.handlers.output_path.output_path`. Attach it after
    the handler that loads the weights, the recorder and the handler that writes the segmentation: a volume that failed
    there gets no report.

    Args:
        output_dir: folder of the results.
        dataset_dir: folder of the inputs, or the one input file.
        network: the :class:`~monai_advdefense.guard.DefendedSegmenter` that the evaluator runs.
        scores: recorder of the same network.
        slice_dim: spatial axis of the volume that counts the slices; 1 is coronal.
        suspicious: number of slices to show in pictures, up to 6, which keeps the page under 3 MB.
        image_key: name of the preprocessed image ``(1, X, Y, Z)``, whose metadata tell the path of the input.
        postfix: postfix of the segmentation's file name.
        suffix: ending of the segmentation's file name.
        metadata: metadata.json of the bundle, for its name, version and class names.
        weights: weights file, for its checksum and the false positive rate in the record of its calibration.
        weights_license: terms of use of the weights.
        dataset: where to record a volume whose report could not be written, so that the run goes on with the next;
            without it the error is raised.

    Raises:
        InputError: if ``suspicious`` is out of range; in the run, if ``metadata`` or ``weights`` cannot be read.
        OutputError: in the run, if a report cannot be written and there is no ``dataset``.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        dataset_dir: str | os.PathLike[str],
        network: nn.Module,
        scores: ScoreRecorder,
        *,
        slice_dim: int = 1,
        suspicious: int = 4,
        image_key: str = "image",
        postfix: str = "seg",
        suffix: str = ".nii.gz",
        metadata: str | os.PathLike[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        weights_license: str | None = None,
        dataset: VolumeDataset | None = None,
    ) -> None:
        if not 0 <= suspicious <= _MAX_SUSPICIOUS:
            raise InputError(
                f"suspicious: expected a number from 0 to {_MAX_SUSPICIOUS}, found {suspicious}: more do not fit"
            )
        self.output_dir = output_dir
        self.dataset_dir = dataset_dir
        self.network = network
        self.scores = scores
        self.slice_dim = slice_dim
        self.suspicious = suspicious
        self.image_key = image_key
        self.postfix = postfix
        self.suffix = suffix
        self.metadata = metadata
        self.weights = weights
        self.weights_license = weights_license
        self.dataset = dataset
        self._bundle = BundleFacts()
        self._provenance = Provenance()

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of ``engine``."""
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def started(self, engine: Engine) -> None:
        """Read what is the same for all volumes."""
        self._bundle = BundleFacts() if self.metadata is None else bundle_facts(self.metadata)
        self._provenance = Provenance(
            model=self._bundle.model,
            weights_sha256=None if self.weights is None else file_sha256(self.weights),
            weights_license=self.weights_license,
            false_positive_rate=self._rate(),
        )

    def _rate(self) -> float | None:
        return None if self.weights is None else calibrated_rate(self.weights, float(self.scores.network.threshold))

    def __call__(self, engine: Engine) -> None:
        """Write the report of the volume of the current iteration."""
        source = str(engine.state.output[0][self.image_key].meta["filename_or_obj"])
        if self.dataset is not None and any(path == source for path, _ in self.dataset.failures):
            return
        try:
            self._write(source, engine.state.output)
        # Whatever goes wrong in drawing must neither cost the other volumes nor stay unsaid.
        except Exception as error:
            found = reason(error) if isinstance(error, OutputError) else f"{type(error).__name__}: {reason(error)}"
            message = (
                f"{one_line(source)}: expected to write its report, found {found}: the segmentation is not affected"
            )
            if self.dataset is None:
                raise OutputError(message) from error
            self.dataset.fail(source, message)

    def _write(self, source: str, output: list[dict[str, Any]]) -> None:
        table, record, page = (
            output_path(source, self.dataset_dir, self.output_dir, postfix, suffix)
            for postfix, suffix in (("scores", ".csv"), ("scores", ".json"), ("report", ".html"))
        )
        for path in (table, record, page):
            # A report of an earlier run must not stand beside a newer segmentation.
            remove_older_result(path)
        image = output[0][self.image_key]
        case = self._case(source, image, len(output))
        _write_text(table, case_to_csv(case))
        _write_text(record, case_to_json(case))
        volume = image.as_tensor()[0]
        views = slice_views(self.network, volume, case.most_suspicious(self.suspicious), self.slice_dim)
        plane = plane_of(volume, np.asarray(image.affine.cpu()), self.slice_dim)
        _write_text(page, case_to_html(case, views, plane, class_names=self._bundle.class_names))

    def _case(self, source: str, image: Any, volumes: int) -> Case:
        shape = tuple(image.shape[1:])
        scores = self.scores.scores
        if volumes != 1 or len(scores) != shape[self.slice_dim]:
            raise OutputError(
                f"{len(scores)} scores for {volumes} x {shape[self.slice_dim]} slices instead of one for each slice of "
                "one volume (use batch size 1 and an inferer that passes every slice once)"
            )
        input_affine = image.meta.get("original_affine")
        axis, positions = slice_positions(
            np.asarray(image.affine.cpu()),
            shape,
            self.slice_dim,
            None if input_affine is None else np.asarray(input_affine, dtype=float),
        )
        return case_from_scores(
            scores,
            self.scores.accepted,
            self.scores.blank,
            threshold=float(self.scores.network.threshold),
            positions=positions,
            input_path=source,
            segmentation_path=str(output_path(source, self.dataset_dir, self.output_dir, self.postfix, self.suffix)),
            position_axis=axis,
            provenance=self._provenance,
        )


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
