"""Fit a screen on the clean volumes of an inference and store it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import ignite.distributed as idist
import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn

from monai_advdefense.atomic_path import check_writable
from monai_advdefense.data.label_on_grid import label_on_grid
from monai_advdefense.guard.calibration import minimum_scores
from monai_advdefense.guard.fit_screen import CleanVolume, fit_screen
from monai_advdefense.guard.scores.native_resolution import resolution_covariates
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.typicality_by_resolution import as_other_scan, other_size
from monai_advdefense.guard.volume_numbers import volume_numbers
from monai_advdefense.messages import broken_rule
from monai_advdefense.metrics import dice_from_counts, overlap_counts
from monai_advdefense.nifti_names import nifti_stem
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.weights import save_calibrated

__all__ = ["CalibrateScreen"]


class CalibrateScreen:
    """Gather numbers of clean volumes while the inferer of an evaluator runs, and fit the inferer's screen at the end.

    The fitted numbers are in ``screen`` and, as a flat state dict, in ``save_path``; a record of what it was fitted on
    lies beside it, as ``model.calibration.json`` for ``model.pt``. If anything fails, both files stay as they were. In
    a distributed run the volumes of all processes count and the first process writes. Where cases have a label, Dice is
    predicted as well.

    Args:
        run_log: what the run did; a volume that failed ends the calibration.
        screen: that of the evaluator's :class:`~monai_advdefense.inferers.ScreenedSliceInferer`.
        save_path: file to write or replace.
        false_positive_rate: share of clean slices that may be rejected.
        volume_rate: share of clean volumes that may be called other than clean; None is the same as of slices. A rate
            of 0.05 needs 19 subjects.
        seed: seed of the synthetic noise and faults that the image scores are told apart from.
        image_key: name of the image, whose metadata tell the path of the input.
        subject_key: name of the entry that says whose a volume is; where a case lacks it, each file is a subject.
        label_key: name of the path of the label map; cases may lack it. The inferer must not mark rejected slices.
        source_labels: values of label maps that each class merges, see
            :class:`~monai_advdefense.transforms.MergeLabels`; None if label maps hold the classes themselves.

    Raises:
        InputError: if the rate is not between 0 and 1; in the run, if a volume failed, a number is not finite, or a
            label cannot be used.
        CalibrationError: in the run, if there are fewer subjects than the rate needs.
        OutputError: in the run, if a file cannot be written.
    """

    def __init__(
        self,
        run_log: RunLog,
        screen: Screen,
        save_path: str | Path,
        *,
        false_positive_rate: float = 0.05,
        volume_rate: float | None = None,
        seed: int = 0,
        image_key: str = "image",
        subject_key: str = "subject",
        label_key: str = "label",
        source_labels: Sequence[Sequence[int]] | None = None,
    ) -> None:
        # A rate that cannot be met must not be found out after all volumes were segmented.
        minimum_scores(false_positive_rate)
        if volume_rate is not None:
            minimum_scores(volume_rate, name="volume_rate")
        self.run_log = run_log
        self.screen = screen
        self.save_path = Path(save_path)
        self.rates: dict[str, Any] = {"false_positive_rate": false_positive_rate, "volume_rate": volume_rate}
        self.seed = seed
        self.image_key = image_key
        self.subject_key = subject_key
        self.label_key = label_key
        self.source_labels = source_labels or [[number] for number in range(screen.num_classes)]
        self._volumes: list[CleanVolume] = []
        self._seen: list[tuple[Any, ...]] = []

    def attach(self, engine: Engine) -> None:
        """Register on the evaluator."""
        # MONAI attaches handlers before the evaluator has its inferer.
        engine.add_event_handler(Events.STARTED, self._wrap_inferer)
        engine.add_event_handler(Events.STARTED, self._forget)
        engine.add_event_handler(Events.STARTED, lambda: check_writable(self.save_path))
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.calibrate)

    def _wrap_inferer(self, engine: Any) -> None:
        """Let the inferer run with the hook, which no exception leaves behind."""
        engine.remove_event_handler(self._wrap_inferer, Events.STARTED)
        inferer = engine.inferer

        def recorded(inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._seen = []
            with self.screen.register_forward_hook(self._see):
                labels = inferer(inputs, network, *args, **kwargs)
                ((image, _, native),) = self._seen
                copy = as_other_scan(image, self._number, native)
                # The predictions must be known on volumes of other voxel sizes too.
                if copy is not image:
                    inferer(copy.movedim(0, inferer.spatial_dim + 1)[None], network)
            return labels

        engine.inferer = recorded

    @property
    def _number(self) -> int:
        """Place of the next volume among those of all processes, of which each takes every n-th."""
        return len(self._volumes) * idist.get_world_size() + idist.get_rank()

    def _forget(self, _: Engine) -> None:
        """Leave nothing of a run that broke off."""
        self._volumes, self._seen = [], []

    def _see(self, _: nn.Module, inputs: tuple[Any, ...], __: Any) -> None:
        self._seen.append(inputs)

    def collect(self, engine: Engine) -> None:
        """Take the numbers of the volume of the current iteration."""
        (case,) = cast(list[dict[str, Any]], engine.state.batch)
        source = str(case[self.image_key].meta["filename_or_obj"])
        (image, prediction, native), (copy, copy_prediction, _) = self._seen[0], self._seen[-1]
        subject = str(case.get(self.subject_key, nifti_stem(Path(source).name)))
        covariates = resolution_covariates(other_size(self._number, native))
        generator = torch.Generator().manual_seed(self.seed + self._number)
        numbers = volume_numbers(image, subject, generator=generator)
        resampled = volume_numbers(copy, subject, generator=generator, covariates=covariates)
        dice = self._dice(case, engine)
        self._volumes.append(CleanVolume(numbers, resampled, prediction, copy_prediction, dice))
        engine.logger.info("read %s", source)

    def _dice(self, case: Mapping[str, Any], engine: Engine) -> npt.NDArray[np.float64] | None:
        """Dice of each structure in the whole volume; None without a label."""
        if self.label_key not in case:
            return None
        label = label_on_grid(case[self.label_key], case[self.image_key], source_labels=self.source_labels)
        (found,) = cast(list[dict[str, Any]], engine.state.output)
        predicted = torch.as_tensor(found["pred"]).as_subclass(Tensor).cpu().long()
        counts = overlap_counts(predicted, label[None], self.screen.num_classes)
        return cast("npt.NDArray[np.float64]", dice_from_counts(counts)[0, 1:].numpy())

    def calibrate(self, engine: Engine) -> None:
        """Fit the screen on the volumes of all processes and write it."""
        self.run_log.merge()
        if self.run_log.failures:
            path, message = self.run_log.failures[-1]
            raise broken_rule(path, "clean volumes alone", f"one that failed ({message})", "mend it or leave it out")
        volumes = [volume for share in _gathered(self._volumes) for volume in share]
        before = _threshold(self.save_path)
        record = fit_screen(self.screen, volumes, **self.rates)
        if idist.get_rank() == 0:
            save_calibrated(self.screen, self.save_path, record)
            print(
                f"threshold {record['threshold']:.4g} (before: {before:.4g}), false alarm rate "
                f"{record['false_positive_rate']:g} of slices and {record['volume_rate']:g} of volumes, from "
                f"{record['judged_slices']} slices of {record['volumes']} volumes of {record['subjects']} subjects; "
                f"Dice is {'predicted' if record['predicted_dice'] else 'not predicted: '}"
                f"{record['predicted_dice_reason']}",
                flush=True,
            )


def _gathered(volumes: list[CleanVolume]) -> list[list[CleanVolume]]:
    if idist.get_world_size() == 1:
        return [volumes]
    return cast(list[list[CleanVolume]], idist.all_gather(volumes))


def _threshold(path: Path) -> float:
    """Threshold of the screen in a file; NaN if there is none."""
    if not path.is_file():
        return math.nan
    state = torch.load(path, map_location="cpu", weights_only=True)
    return float(state.get("threshold", math.nan))
