"""Put detector and reformer in front of a network, in the transforms that it has already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import (
    CastToTyped,
    Compose,
    ConcatItemsd,
    CopyItemsd,
    DeleteItemsd,
    EnsureChannelFirstd,
    EnsureTyped,
    LoadImaged,
    SaveImaged,
    SelectItemsd,
    ToDeviced,
    ToTensord,
)
from monai.utils import ensure_tuple, get_equivalent_dtype
from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import setting_of
from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.bundle_tools.guard_parts import load_detector, load_reformer
from monai_advdefense.bundle_tools.overrides import check_overrides, refuse_unknown_overrides
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms import DetectAdversariald, Reformd, RejectSlicesd

__all__ = ["LOADING", "Guard", "check_label", "flat", "inserted"]

Transforms: TypeAlias = Compose | Sequence[Callable[..., Any]] | Callable[..., Any]

# What brings an image into memory and leaves its values and its grid as they are.
LOADING = (
    LoadImaged,
    EnsureChannelFirstd,
    EnsureTyped,
    CastToTyped,
    ToTensord,
    ToDeviced,
    ConcatItemsd,
    CopyItemsd,
    DeleteItemsd,
    SelectItemsd,
)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Detector and reformer in front of any network, 2-D or 3-D, that MONAI transforms feed.

    Attributes:
        detector: calibrated detector of one channel.
        reformer: reformer of one channel.
        slice_size: sides of the slices that they take, see :class:`~monai_advdefense.transforms.DetectAdversarial`.
        slice_dim: axis that counts the slices in the orientation ``axcodes``; 1 is coronal in ``"RAS"``. None takes
            images as one slice; ``axcodes`` must be None as well.
        axcodes: orientation in which the networks see the slices, whatever that of the file; None is that of the file.
        channels: numbers of the guarded channels; None is all of them.
        value_range: values that become 0 and 1; None is 0 to the 99.5th percentile around the voxels above 0.
        label: value of rejected slices in the output.
        keys: keys of the guarded images.
        pred_keys: keys of the predictions to mark.
        position: how many of the preprocessing transforms come before the guard; None is as many as load.
        batch_size: slices that pass a network at once.

    Example:
        >>> from monai.transforms import NormalizeIntensityd
        >>> detector = ReconstructionDetector(nn.Identity())
        >>> guard = Guard(detector=detector, reformer=nn.Identity(), slice_size=(8, 8), slice_dim=1)
        >>> theirs = Compose([LoadImaged("image"), EnsureChannelFirstd("image"), NormalizeIntensityd("image")])
        >>> [type(transform).__name__ for transform in guard.preprocessing(theirs).transforms]
        ['LoadImaged', 'EnsureChannelFirstd', 'DetectAdversariald', 'Reformd', 'NormalizeIntensityd']
    """

    detector: ReconstructionDetector
    reformer: nn.Module
    slice_size: Sequence[int] | None
    slice_dim: int | None
    axcodes: str | None = "RAS"
    channels: Sequence[int] | None = None
    value_range: Sequence[float] | None = None
    label: int = 255
    keys: KeysCollection = "image"
    pred_keys: KeysCollection = "pred"
    position: int | None = None
    batch_size: int = 8

    @classmethod
    def from_bundle(
        cls,
        bundle: str | Path,
        reformer_bundle: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> Guard:
        """The guard of a bundle, with size and axis of the slices on which its networks were trained.

        Args:
            bundle: name or folder of the bundle of a defended segmenter, or of a detector, see
                :func:`~monai_advdefense.bundle_tools.find_bundle.find_bundle`.
            reformer_bundle: that of the reformer; None takes it from ``bundle``.
            device: where detector and reformer run; a device other than the CPU needs transforms that run in the main
                process (``num_workers=0``).
            settings: other attributes of the class.

        Raises:
            InputError: if there is no such bundle, it holds no such network, or there is no such setting.
            CalibrationError: if the detector is not calibrated.
        """
        # What an overlay names is built before all else of a run.
        refuse_unknown_overrides()
        known = [each.name for each in fields(cls)]
        check_overrides(settings, dict.fromkeys(known))
        folder = find_bundle(bundle)
        for name in ("slice_size", "slice_dim"):
            if name not in settings:
                settings[name] = setting_of(folder, name)
        return cls(
            detector=load_detector(folder, device),
            reformer=load_reformer(folder if reformer_bundle is None else reformer_bundle, device),
            **settings,
        )

    def preprocessing(self, theirs: Transforms) -> Compose:
        """The preprocessing of a network with the guard after what loads, before all that changes values or grid.

        The transforms are those of ``theirs``, which is left as it is: ``Invertd`` can go on referring to it.
        """
        settings: dict[str, Any] = {
            "slice_dim": self.slice_dim,
            "axcodes": self.axcodes,
            "channels": self.channels,
            "value_range": self.value_range,
            "slice_size": self.slice_size,
            "batch_size": self.batch_size,
        }
        detect = DetectAdversariald(self.keys, self.detector, **settings)
        reform = Reformd(self.keys, self.reformer, **settings)
        return inserted(theirs, [detect, reform], lambda each: not isinstance(each, LOADING), self.position)

    def postprocessing(self, theirs: Transforms) -> Compose:
        """The postprocessing of a network, with slices marked before the first ``SaveImaged``, else at the end.

        Raises:
            InputError: if ``label`` does not fit into the integer type that ``SaveImaged`` writes.
        """
        keys = [f"accepted_{key}" for key in ensure_tuple(self.keys)]
        check_label(theirs, self.pred_keys, self.label)
        mark = RejectSlicesd(self.pred_keys, keys, self.label, self.slice_dim, axcodes=self.axcodes)
        return inserted(theirs, [mark], lambda each: isinstance(each, SaveImaged))


def check_label(theirs: Transforms, pred_keys: KeysCollection, label: int) -> None:
    """Check that what saves the predictions can write the label of rejected slices.

    Raises:
        InputError: if ``label`` does not fit into the integer type that ``SaveImaged`` writes.
    """
    for saving in flat(theirs).transforms:
        if not isinstance(saving, SaveImaged) or not set(saving.keys) & set(ensure_tuple(pred_keys)):
            continue
        saved = saving.saver.init_kwargs.get("output_dtype")
        dtype = np.dtype(np.float32 if saved is None else get_equivalent_dtype(saved, np.ndarray))
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= label <= np.iinfo(dtype).max:
            raise broken_rule(
                "argument `label`",
                f"a value that fits into {dtype}, which SaveImaged writes",
                label,
                "choose another one, or another output_dtype",
            )


def flat(theirs: Transforms) -> Compose:
    """One Compose without others in it."""
    return (theirs if isinstance(theirs, Compose) else Compose(theirs)).flatten()


def inserted(
    theirs: Transforms,
    ours: Sequence[Any],
    before: Callable[[Any], bool],
    position: int | None = None,
    compose: Callable[..., Compose] = Compose,
) -> Compose:
    """Transforms with ours at a position, or else before the first for which ``before`` holds."""
    whole = flat(theirs)
    transforms = list(whole.transforms)
    if position is not None and not 0 <= position <= len(transforms):
        raise broken_rule(
            "argument `position`",
            f"0 to {len(transforms)}, the number of transforms, those of nested Composes counted one by one",
            position,
            "None finds the place",
        )
    if position is None:
        position = whole.get_index_of_first(before)
    place = len(transforms) if position is None else position
    return compose(
        [*transforms[:place], *ours, *transforms[place:]],
        map_items=whole.map_items,
        unpack_items=whole.unpack_items,
        log_stats=whole.log_stats,
        lazy=whole.lazy,
        overrides=whole.overrides,
    )
