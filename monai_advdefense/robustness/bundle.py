"""What a report needs, from the configuration of a bundle."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.data import Dataset, MetaTensor
from monai.transforms import Compose, LoadImage, ResampleToMatch
from torch import nn

from monai_advdefense.bundle_tools.bundle_folder import config_files_of, merged_config, weights_of
from monai_advdefense.bundle_tools.independent_channels import channels_are_independent
from monai_advdefense.bundle_tools.overrides import check_overrides
from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.errors import first_cause, own_error
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.ras_affine import ras_affine
from monai_advdefense.report.provenance import bundle_facts
from monai_advdefense.robustness.case_facts import Items
from monai_advdefense.robustness.settings import Settings
from monai_advdefense.robustness.windows import windowed
from monai_advdefense.weights import load_weights

__all__ = ["BundleParts", "bundle_parts"]


@dataclass(frozen=True)
class BundleParts:
    """Network, data and settings of a bundle, as :func:`~monai_advdefense.robustness.robustness_report` takes them."""

    network: nn.Module
    data: Items
    settings: Settings
    structures: Sequence[str] | None


def bundle_parts(
    bundle: str | Path,
    data: str | os.PathLike[str],
    *,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    weights: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
) -> BundleParts:
    """Read what a report needs from a bundle; none of its handlers runs.

    Args:
        bundle: folder of the bundle.
        data: what it takes as ``dataset_dir``; where that leads to no image, a folder of NIfTI files.
        config_files: its configurations, later ones over earlier ones, see
            :func:`~monai_advdefense.bundle_tools.bundle_folder.config_files_of`.
        weights: file of the weights; by default ``models/model.pt``.
        labels: folder of the labels, where the configuration has none: each lies there as its image does below
            ``data``, or has the name of its image, if no other has it. They are brought to the grid of the image that
            the network takes, by nearest neighbour.
        overrides: values by the id of an entry.
        settings: of the report; ``slice_dim`` and ``activation`` follow from inferer and postprocessing.

    Raises:
        InputError: if a file is missing, an override names no entry, or the configuration has not what is needed.
    """
    folder = Path(bundle)
    parser = _parser(folder, config_files, data, overrides or {})
    network = _built(parser, ("network_def",))
    if not isinstance(network, nn.Module):
        raise broken_rule(folder, "a network under network_def", type(network).__name__, "define a module")
    load_weights(weights or weights_of(folder), network)
    whole, slice_dim = windowed(network.eval(), _built(parser, ("validate#inferer", "inferer"), needed=False))
    found = replace(settings or Settings(), slice_dim=slice_dim, activation=_activation(parser))
    return BundleParts(whole, _data(parser, data, labels), found, _structures(folder, network, found.activation))


def _parser(
    folder: Path,
    config_files: Sequence[str | os.PathLike[str]],
    data: str | os.PathLike[str],
    overrides: Mapping[str, Any],
) -> ConfigParser:
    config = merged_config(config_files_of(folder, config_files))
    check_overrides(overrides, config)
    parser = ConfigParser(config)
    given = {"bundle_root": str(folder), "dataset_dir": os.path.abspath(data), **overrides}
    for name, value in given.items():
        if name in overrides or name in config:
            parser[name] = value
    return parser


def _built(parser: ConfigParser, names: Sequence[str], *, needed: bool = True) -> Any:
    """What the first of the entries that is there stands for; None if none is, and none is needed."""
    name = next((name for name in names if _has(parser, name)), None)
    if name is None and needed:
        raise broken_rule(names[0], "this entry in the configuration", "none", "name the files with --config-file")
    try:
        return None if name is None else parser.get_parsed_content(name)
    # Reading a configuration runs what it names, so anything can be raised.
    except Exception as error:
        if (own := own_error(error)) is not None:
            raise own from error
        found = reason(first_cause(error))
        raise broken_rule(str(name), "an entry that can be built", found, "mend the configuration") from error


def _has(parser: ConfigParser, name: str) -> bool:
    return parser.get(name) is not None


def _activation(parser: ConfigParser) -> str:
    """``"sigmoid"`` if the transforms after the network take each channel for a structure of its own."""
    after = _built(parser, ("validate#postprocessing", "postprocessing"), needed=False)
    return "sigmoid" if channels_are_independent(after or ()) else "softmax"


def _structures(folder: Path, network: nn.Module, activation: str) -> list[str] | None:
    """Names of the structures from the metadata; None if it has none."""
    path = folder / "configs" / "metadata.json"
    names = dict(bundle_facts(path).class_names) if path.is_file() else {}
    first, last = int(activation == "softmax"), len(names) - isinstance(network, DefendedSegmenter)
    return (
        [names[channel] for channel in range(first, last)] if set(names) == set(range(len(names))) and names else None
    )


def _data(parser: ConfigParser, data: str | os.PathLike[str], labels: str | os.PathLike[str] | None) -> Items:
    """The data set of the configuration, or one of the folder with its preprocessing."""
    name = "validate#dataset" if _has(parser, "validate#dataset") else "dataset"
    listed = _built(parser, (f"{name}#data",), needed=False)
    items = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else None
    transform = _built(parser, (f"{name}#transform",), needed=False)
    if items and labels is None:
        return Dataset(items, transform)
    if not items:
        transform = transform or _built(parser, ("preprocessing",))
        items = volume_datalist(data)
    steps: list[Callable[..., Any]] = [transform] if transform else []
    found = items if labels is None else _labelled(items, Path(os.path.abspath(data)), Path(labels))
    return Dataset([dict(item) for item in found], Compose([*steps, _with_label]))


def _labelled(items: Sequence[Mapping[str, Any]], data: Path, labels: Path) -> list[dict[str, Any]]:
    """The items with the paths of their labels."""
    if not labels.is_dir():
        raise broken_rule(labels, "a folder of labels", "none", "check the path")
    images = [_image_path(item) for item in items]
    twice = {name for name, count in Counter(path.name for path in set(images)).items() if count > 1}
    return [
        {**item, "label_path": str(_label_path(path, data, labels, by_name=path.name not in twice))}
        for item, path in zip(items, images, strict=True)
    ]


def _image_path(item: Mapping[str, Any]) -> Path:
    """The file of the image, of several channels the first."""
    images = item["image"]
    return Path(os.path.abspath(images[0] if isinstance(images, (list, tuple)) else images))


def _label_path(image: Path, data: Path, labels: Path, *, by_name: bool) -> Path:
    """The label that lies as the image does below ``data``, or has its name, if no other image has it."""
    below = [labels / image.relative_to(data)] if image.is_relative_to(data) else []
    candidates = list(dict.fromkeys([*below, *([labels / image.name] if by_name else [])]))
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        found = "no file" if by_name else "no file there, and several images of its name"
        expected = f"a label {' or '.join(map(str, candidates)) or f'of its own in {labels}'}"
        raise broken_rule(image, expected, found, "complete the folder of labels, in the folders of the images")
    return path


def _with_label(item: dict[str, Any]) -> dict[str, Any]:
    """Add the label on the grid of the image."""
    path = item.pop("label_path", None)
    if path is None:
        return item
    image = item["image"]
    grid = MetaTensor(image.as_tensor(), affine=ras_affine(image)) if isinstance(image, MetaTensor) else image
    try:
        label = LoadImage(ensure_channel_first=True)(path)
        item["label"] = ResampleToMatch(mode="nearest", padding_mode="zeros")(label, img_dst=grid)
    except Exception as error:
        raise broken_rule(path, "a label that can be read", reason(error), "check the file") from error
    return item
