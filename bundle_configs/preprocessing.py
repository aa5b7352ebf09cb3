"""Preprocessing of a volume, the same in training and inference but for the label."""

from __future__ import annotations

from typing import Any

from bundle_configs.components import Entries, component, own

__all__ = ["volume_transforms"]


def volume_transforms(*, label: bool) -> Entries:
    """The transforms of a volume by name, in their order, with or without its label."""
    keys: Any = ["image", "label"] if label else "image"
    transforms = {
        "load_image": component("LoadImaged", keys=keys, ensure_channel_first=True, squeeze_non_spatial_dims=True),
        "orientation": component("Orientationd", keys=keys, axcodes="RAS", labels=None),
        "spacing": component(
            "Spacingd", keys=keys, pixdim="@pixdim", mode=["bilinear", "nearest"] if label else "bilinear"
        ),
        "crop_foreground": component("CropForegroundd", keys=keys, source_key="image", allow_smaller=True),
        "scale_intensity": component(
            "ScaleIntensityRangePercentilesd", keys="image", lower=0, upper=99.5, b_min=0.0, b_max=1.0, clip=True
        ),
        "pad_slices": component(
            "SpatialPadd", keys=keys, spatial_size="$[*@slice_size[:@slice_dim], -1, *@slice_size[@slice_dim:]]"
        ),
    }
    return {**transforms, **_LABEL_TRANSFORMS} if label else transforms


_LABEL_TRANSFORMS = {
    "merge_labels": own(
        "transforms.MergeLabelsd",
        keys="label",
        source_labels="$data.malc2012_source_labels(@dataset_dir, @num_classes)",
    ),
    "cast_label": component("CastToTyped", keys="label", dtype="$torch.uint8"),
}
