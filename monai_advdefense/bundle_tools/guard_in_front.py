"""Put a screen in front of a network, in the transforms that it has already."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from monai.transforms import Compose, SaveImaged
from torch import nn

from monai_advdefense.bundle_tools.independent_channels import channels_are_independent
from monai_advdefense.bundle_tools.name_volumes import NamingCompose
from monai_advdefense.bundle_tools.overrides import refuse_unknown_overrides
from monai_advdefense.bundle_tools.predict_slices import PredictSlices, kept_slices
from monai_advdefense.bundle_tools.spectral_guard import LOADING, Transforms, check_label, inserted
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.causes import explain
from monai_advdefense.guard.screen import SCREEN_SCORES, Screen, Screened, load_screen
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.transforms import KeepSlicesd, RejectSlicesd
from monai_advdefense.transforms.guarded_channels import GuardedChannels
from monai_advdefense.transforms.keep_slices import KeptSlices

__all__ = ["UNFITTED", "ScreenGuard"]

UNFITTED = (
    "the guard is not calibrated for this network: fit it on 20 clean volumes by advdefense calibrate CLEAN_VOLUMES "
    "--network BUNDLE -o screen.pt, and give --screen screen.pt"
)
"""What is wrong without a fitted screen, and what to do."""


@dataclass(frozen=True, kw_only=True)
class ScreenGuard:
    """Scores of the image and of the predictions in front of any network, 2-D or 3-D, that MONAI transforms feed.

    The network sees its image as it is. A second prediction, of the image smoothed a little, tells whether the first
    hangs on faint detail. Without a fitted screen every slice is marked and no volume is called clean.

    Attributes:
        screen_path: file that :class:`~monai_advdefense.bundle_tools.GuardCalibration` has written; None is none.
        slice_dim: axis that counts the slices in the orientation ``axcodes``; 1 is coronal in ``"RAS"``. None takes
            images as one slice; ``axcodes`` must be None as well.
        axcodes: orientation in which the slices are counted, whatever that of the file; None is that of the file.
        channels: numbers of the guarded channels; None is all of them.
        value_range: values that become 0 and 1; None is 0 to the 99.5th percentile.
        slice_size: sides of the slices, cropped to the foreground and padded; None takes them whole.
        smoothing: standard deviation of the smoothing, in voxels of the network's image.
        label: value of rejected slices in the output.
        key: key of the guarded image.
        pred_key: key of the prediction.
        position: how many of the preprocessing transforms come before the guard; None is as many as load.
    """

    screen_path: str | Path | None = None
    slice_dim: int | None = 1
    axcodes: str | None = "RAS"
    channels: Sequence[int] | None = None
    value_range: Sequence[float] | None = None
    slice_size: Sequence[int] | None = None
    smoothing: float = 0.75
    label: int = 255
    key: str = "image"
    pred_key: str = "pred"
    position: int | None = None

    def __post_init__(self) -> None:
        # What an overlay names is built before all else of a run.
        refuse_unknown_overrides()

    @property
    def guarded(self) -> GuardedChannels:
        """Which slices of which channels it looks at."""
        return GuardedChannels(self.slice_dim, self.axcodes, self.channels, self.value_range, self.slice_size, 8)

    @property
    def settings(self) -> dict[str, Any]:
        """What a fit holds for, as JSON can hold it."""
        lists = {name: getattr(self, name) for name in ("channels", "value_range", "slice_size")}
        plain = {name: None if value is None else list(value) for name, value in lists.items()}
        names = ("slice_dim", "axcodes", "smoothing")
        return {**{name: getattr(self, name) for name in names}, **plain}

    @cached_property
    def screen(self) -> Screen | None:
        """The fitted screen; None if there is none.

        Raises:
            InputError: the file is missing, or was fitted with other settings.
        """
        if self.screen_path is None:
            return None
        remedy = "fit it by advdefense calibrate CLEAN_VOLUMES --network BUNDLE"
        if not Path(self.screen_path).is_file():
            raise broken_rule(self.screen_path, "a screen for this network", "no such file", remedy)
        path = Path(self.screen_path).with_suffix(".calibration.json")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            fitted, classes, channels = record["guard"], record["classes"], record["channels"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise broken_rule(path, "the record of a guard for this network", reason(error), remedy) from error
        screen = load_screen(self.screen_path, num_classes=classes, channels=channels)
        for name, value in self.settings.items():
            if fitted.get(name) != value:
                remedy = f"give guard#{name} {fitted.get(name)}, or calibrate again"
                raise broken_rule(f"guard#{name}", f"{fitted.get(name)} as in {path}", value, remedy)
        return screen

    def preprocessing(self, theirs: Transforms) -> Compose:
        """The preprocessing of a network with the guard after what loads; ``theirs`` is left as it is.

        Its errors name the volume.
        """
        keep, compose = KeepSlicesd(self.key, self.guarded), partial(NamingCompose, key=self.key)
        return inserted(theirs, [keep], lambda each: not isinstance(each, LOADING), self.position, compose)

    def postprocessing(self, theirs: Transforms, *, network: nn.Module, inferer: Callable[..., Any]) -> Compose:
        """The postprocessing of a network: judge the volume first, mark slices before the first ``SaveImaged``.

        Args:
            theirs: the transforms; what they do tells whether the channels of the output exclude each other.
            network: that of the evaluator.
            inferer: that of the evaluator.

        Raises:
            InputError: if ``label`` does not fit into the integer type that ``SaveImaged`` writes.
        """
        check_label(theirs, self.pred_key, self.label)
        judge = _Judge(self, self.predict_slices(theirs, network=network, inferer=inferer))
        mark = RejectSlicesd(self.pred_key, f"accepted_{self.key}", self.label, self.slice_dim, axcodes=self.axcodes)
        marked = inserted(theirs, [mark], lambda each: isinstance(each, SaveImaged))
        return inserted(marked, [judge], lambda _: True, 0)

    def predict_slices(self, theirs: Transforms, *, network: nn.Module, inferer: Callable[..., Any]) -> PredictSlices:
        """What tells the numbers of the network's predictions; arguments as of :meth:`postprocessing`."""
        return PredictSlices(
            network=network,
            inferer=inferer,
            guarded=self.guarded,
            independent=channels_are_independent(theirs),
            smoothing=self.smoothing,
        )


@dataclass(frozen=True)
class _Judge:
    """Transform that adds ``accepted_{key}`` and ``screened``."""

    guard: ScreenGuard
    predict_slices: PredictSlices

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        guard = self.guard
        kept = kept_slices(data, guard.key)
        screen = guard.screen
        if screen is None:
            screened = _unfitted(kept)
        else:
            numbers = self.predict_slices(data[guard.key], data[guard.pred_key], kept)
            found = numbers.area.shape[1]
            if screen.num_classes != found:
                remedy = "fit the guard on volumes that this network has segmented"
                raise broken_rule("prediction", f"{screen.num_classes} classes, as fitted", found, remedy)
            screened = screen(kept.slices, numbers)
        return {**data, f"accepted_{guard.key}": screened.accepted, "screened": screened}


def _unfitted(kept: KeptSlices) -> Screened:
    """What is known without a fit."""
    count = len(kept.slices)
    unknown = torch.full((count,), math.nan)
    empty = ("",) * count
    verdict = VolumeVerdict("not_checked", "", explain("not_checked", "", UNFITTED), "", math.nan, 0, 0, math.nan)
    return Screened(
        unknown,
        torch.zeros(count, dtype=torch.bool),
        is_blank(kept.slices),
        torch.ones(count, dtype=torch.bool),
        unknown[:, None].expand(-1, len(SCREEN_SCORES)),
        empty,
        empty,
        verdict,
    )
