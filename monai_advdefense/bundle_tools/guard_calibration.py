"""Fit a screen for a network that knows nothing of it, on clean volumes that it segments."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from operator import length_hint
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from monai.transforms import Compose, SaveImaged
from torch import nn

from monai_advdefense.atomic_path import check_writable
from monai_advdefense.bundle_tools.guard_in_front import ScreenGuard
from monai_advdefense.bundle_tools.name_volumes import run_naming
from monai_advdefense.bundle_tools.predict_slices import PredictSlices, kept_slices
from monai_advdefense.bundle_tools.spectral_guard import Transforms, flat
from monai_advdefense.guard.calibration import minimum_scores
from monai_advdefense.guard.fit_screen import CleanVolume, check_subjects, fit_screen, minimum_subjects
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.volume_numbers import volume_numbers
from monai_advdefense.messages import broken_rule
from monai_advdefense.weights import save_calibrated

__all__ = ["GuardCalibration"]


class GuardCalibration:
    """Gather numbers of clean volumes while a bundle runs, and fit the screen of its guard at the end.

    Each volume counts as a subject of its own. Nothing is trained, and no label is needed.

    Args:
        guard: what shall be fitted; its ``screen_path`` is the file to write or replace, a record lies beside it.
        dataset: what brings the volumes; too few are found before anything is computed, if it tells their number.
        false_positive_rate: share of clean slices that may be rejected.
        volume_rate: share of clean volumes that may be called other than clean; 0.05 needs 19.
        seed: seed of the synthetic noise and faults that the image scores are told apart from.

    Raises:
        InputError: there is no ``screen_path``, or a rate is not between 0 and 1.
        CalibrationError: there are fewer volumes than the rate needs.
        OutputError: the file cannot be written.
    """

    def __init__(
        self,
        guard: ScreenGuard,
        dataset: object,
        *,
        false_positive_rate: float = 0.03,
        volume_rate: float = 0.05,
        seed: int = 0,
    ) -> None:
        if guard.screen_path is None:
            raise broken_rule("screen_path", "a file for the screen", "none", "give one, such as screen.pt")
        minimum_scores(false_positive_rate)
        # What tells no number is counted in the end.
        check_subjects(length_hint(dataset, minimum_subjects(volume_rate)), volume_rate)
        self.guard = guard
        self.save_path = Path(os.path.abspath(guard.screen_path))
        check_writable(self.save_path)
        self.rates = {"false_positive_rate": false_positive_rate, "volume_rate": volume_rate}
        self.seed = seed
        self.volumes: list[CleanVolume] = []

    def postprocessing(self, theirs: Transforms, *, network: nn.Module, inferer: Callable[..., Any]) -> Compose:
        """A postprocessing that gathers first and saves nothing; arguments as of :meth:`ScreenGuard.postprocessing`.

        Handlers of the bundle find what they are used to.
        """
        gather = _Gather(self, self.guard.predict_slices(theirs, network=network, inferer=inferer))
        return Compose([gather, *(each for each in flat(theirs).transforms if not isinstance(each, SaveImaged))])

    def run(self, evaluator: Engine) -> None:
        """Run an evaluator with this postprocessing; errors name the volume of which they come."""
        run_naming(evaluator, self.guard.key)

    def fit(self) -> dict[str, Any]:
        """Fit the screen on what was gathered and write it; the record.

        Raises:
            CalibrationError: there are too few volumes or slices for the rates.
            OutputError: the file cannot be written.
        """
        check_subjects(len(self.volumes), self.rates["volume_rate"])
        channels, classes = self.volumes[0].channels, _classes(self.volumes[0])
        screen = Screen(classes, channels=channels)
        record = fit_screen(screen, self.volumes, **self.rates)
        record |= {"classes": classes, "channels": channels, "guard": self.guard.settings}
        save_calibrated(screen, self.save_path, record)
        print(
            f"threshold {record['threshold']:.4g}, false alarm rate {record['false_positive_rate']:g} of slices and "
            f"{record['volume_rate']:g} of volumes, from {record['judged_slices']} slices of "
            f"{record['volumes']} volumes",
            flush=True,
        )
        return record


class _Gather:
    """Transform that tells a calibration the numbers of each volume."""

    def __init__(self, calibration: GuardCalibration, predict_slices: PredictSlices) -> None:
        self.calibration = calibration
        self.predict_slices = predict_slices

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        own, guard = self.calibration, self.calibration.guard
        kept = kept_slices(data, guard.key)
        image = data[guard.key]
        number = len(own.volumes)
        source = str(getattr(image, "meta", {}).get("filename_or_obj", f"volume {number}"))
        generator = torch.Generator().manual_seed(own.seed + number)
        numbers = volume_numbers(kept.slices, source, generator=generator)
        volume = CleanVolume(numbers, None, self.predict_slices(image, data[guard.pred_key], kept), None)
        _check_like(volume, own.volumes[0] if own.volumes else volume)
        own.volumes.append(volume)
        print(f"read {source}", flush=True)
        return dict(data)


def _check_like(volume: CleanVolume, first: CleanVolume) -> None:
    """Check that a volume has as many channels, and its prediction as many classes, as those of the first one."""
    for what, found, expected in (
        ("channels", volume.channels, first.channels),
        ("classes", _classes(volume), _classes(first)),
    ):
        if found != expected:
            rule = f"a volume of {expected} {what}, as {first.subject}"
            raise broken_rule(volume.subject, rule, found, "calibrate on volumes of one kind")


def _classes(volume: CleanVolume) -> int:
    return volume.prediction.area.shape[1]
