"""Write scores and a report beside every segmentation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.score_recorder import ScoreRecorder
from monai_advdefense.handlers.volume_writer import VolumeWriter
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.ras_affine import ras_affine
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
    thumbnails_of_rejected,
)
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.weights import calibrated_rate

__all__ = ["ReportWriter"]

_MAX_SUSPICIOUS = 6


class ReportWriter:
    """Ignite handler that writes ``NAME_scores.csv``, ``NAME_scores.json`` and ``NAME_report.html`` for each volume.

    A volume whose segmentation failed gets no report; the handlers must name the writer of the segmentation before.

    Args:
        outputs: where the results lie.
        run_log: where to record a volume that could not be written.
        network: the :class:`~monai_advdefense.guard.DefendedSegmenter` that the evaluator runs.
        scores: recorder of the same network.
        segmentation: writer of the segmentations.
        slice_dim: spatial axis of the volume that counts the slices; 1 is coronal.
        suspicious: number of slices to show in pictures, up to 6, which keeps the page under 3 MB.
        image_key: name of the preprocessed image ``(1, X, Y, Z)``, whose metadata tell the path of the input.
        metadata: metadata.json of the bundle, for its name, version and class names.
        weights: weights file, for its checksum and the false positive rate in the record of its calibration.
        screen_weights: file of the screen that decides, if one does, for the same.
        weights_license: terms of use of the weights.

    Raises:
        InputError: if ``suspicious`` is out of range; in the run, if ``metadata`` or ``weights`` cannot be read.
    """

    def __init__(
        self,
        outputs: Outputs,
        run_log: RunLog,
        network: nn.Module,
        scores: ScoreRecorder,
        segmentation: VolumeWriter,
        *,
        slice_dim: int,
        suspicious: int = 4,
        image_key: str = "image",
        metadata: str | os.PathLike[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        screen_weights: str | os.PathLike[str] | None = None,
        weights_license: str | None = None,
    ) -> None:
        if not 0 <= suspicious <= _MAX_SUSPICIOUS:
            raise broken_rule("suspicious", f"a number from 0 to {_MAX_SUSPICIOUS}", suspicious, "more do not fit")
        self.outputs = outputs
        self.run_log = run_log
        self.network = network
        self.scores = scores
        self.segmentation = segmentation
        self.slice_dim = slice_dim
        self.suspicious = suspicious
        self.image_key = image_key
        self.metadata = metadata
        self.weights = weights
        self.screen_weights = screen_weights
        self.weights_license = weights_license
        self._bundle = BundleFacts()
        self._provenance = Provenance()

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of ``engine``."""
        if not engine.has_event_handler(self.segmentation, Events.ITERATION_COMPLETED):
            found = "ReportWriter without one before it"
            remedy = "name the writer before ReportWriter in the list of handlers"
            raise broken_rule("handlers", "the writer of the segmentation", found, remedy)
        # The weights, and with them the threshold, are loaded when the engine starts.
        engine.add_event_handler(Events.EPOCH_STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def started(self, engine: Engine) -> None:
        """Read what is the same for all volumes."""
        self._bundle = BundleFacts() if self.metadata is None else bundle_facts(self.metadata)
        self._provenance = Provenance(
            model=self._bundle.model,
            weights_sha256=None if self.weights is None else file_sha256(self.weights),
            screen_sha256=None if self._screen_file is None else file_sha256(self._screen_file),
            weights_license=self.weights_license,
            false_positive_rate=self._rate(),
        )

    @property
    def _screen_file(self) -> str | os.PathLike[str] | None:
        """File of the screen, if it decides."""
        return None if self.scores.screen is None else self.screen_weights

    def _rate(self) -> float | None:
        file = self.weights if self.scores.screen is None else self.screen_weights
        return None if file is None else calibrated_rate(file, self.scores.threshold)

    def __call__(self, engine: Engine) -> None:
        """Write the report of the volume of the current iteration."""
        source = str(engine.state.output[0][self.image_key].meta["filename_or_obj"])
        if self.run_log.reasons(source):
            return
        try:
            self._write(source, engine.state.output)
        # Whatever goes wrong in drawing must neither cost the other volumes nor stay unsaid.
        except Exception as error:
            found = reason(error) if isinstance(error, OutputError) else f"{type(error).__name__}: {reason(error)}"
            message = broken_rule(source, "to write its report", found, "the segmentation is not affected")
            self.run_log.fail(source, str(message))

    def _write(self, source: str, output: list[dict[str, Any]]) -> None:
        table, record, page = (
            self.outputs.path(source, postfix, suffix)
            for postfix, suffix in (("scores", ".csv"), ("scores", ".json"), ("report", ".html"))
        )
        self.outputs.remove(table, record, page)
        image = output[0][self.image_key]
        case = self._case(source, image, len(output))
        print(f"{self.outputs.name(source)}: {case.line}", flush=True)
        _write_text(table, case_to_csv(case))
        _write_text(record, case_to_json(case))
        volume = image.as_tensor()[0]
        views = slice_views(self.network, volume, case.most_suspicious(self.suspicious), self.slice_dim)
        plane = plane_of(volume, ras_affine(image).cpu().numpy(), self.slice_dim)
        shown: dict[str, Any] = {
            "thumbnails": thumbnails_of_rejected(volume, case.slices, plane, self.slice_dim),
            "links": self._links(page, [Path(case.segmentation_path), table, record]),
        }
        _write_text(page, case_to_html(case, views, plane, class_names=self._bundle.class_names, **shown))

    def _links(self, page: Path, files: list[Path]) -> dict[str, str]:
        """Where the files about a volume lie, as seen from its page."""
        names = ("Segmentation", "Table (CSV)", "Record (JSON)")
        paths = zip((*names, "All volumes"), (*files, self.outputs.output_dir / "report.html"), strict=True)
        return {name: Path(os.path.relpath(path, page.parent)).as_posix() for name, path in paths}

    def _case(self, source: str, image: Any, volumes: int) -> Case:
        shape = tuple(image.shape[1:])
        scores = self.scores.scores
        if volumes != 1 or len(scores) != shape[self.slice_dim]:
            found = f"{len(scores)} scores for {volumes} x {shape[self.slice_dim]} slices"
            remedy = "use batch size 1 and an inferer that passes every slice once"
            raise broken_rule("scores", "one for each slice of one volume", found, remedy, error=OutputError)
        input_affine = image.meta.get("original_affine")
        axis, positions = slice_positions(
            ras_affine(image).cpu().numpy(),
            shape,
            self.slice_dim,
            None if input_affine is None else ras_affine(image, input_affine).cpu().numpy(),
        )
        return case_from_scores(
            scores,
            self.scores.accepted,
            self.scores.blank,
            threshold=self.scores.threshold,
            positions=positions,
            input_path=source,
            segmentation_path=str(self.segmentation.path(source)),
            position_axis=axis,
            provenance=self._provenance,
            screened=self.scores.screened,
        )


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
