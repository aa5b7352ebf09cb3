"""Four copies of a volume side by side, each with its verdict and cause, on one page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.guard.causes import cause_in_words, remedy
from monai_advdefense.report import (
    SliceView,
    bundle_facts,
    case_from_json,
    label_colors,
    picture_to_data_uri,
    plane_of,
    slice_panels,
)

__all__ = ["write_page"]

_CORONAL = 1


def write_page(path: Path, images: Mapping[str, Path], results: Path, bundle: Path) -> Path:
    """Write the page of volumes, RAS on a grid of 1 mm, from the results that ``advdefense screen`` has written.

    Raises:
        InputError: a record cannot be read.
        OutputError: the page cannot be written.
    """
    names = bundle_facts(bundle / "configs" / "metadata.json").class_names
    cards = [
        {
            **_card(name, image, results, names),
            "name": name,
            "report": Path(os.path.relpath(results / f"{name}_report.html", path.parent)).as_posix(),
        }
        for name, image in images.items()
    ]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    text = environment.get_template("page.html.j2").render(cards=cards)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _card(name: str, image: Path, results: Path, names: Mapping[int, str]) -> dict[str, Any]:
    record = results / f"{name}_scores.json"
    case = case_from_json(record.read_text(encoding="utf-8"), path=record)
    volume, labels = _array(image), _array(results / f"{name}_seg.nii.gz").astype(np.int64)
    plane = plane_of(torch.from_numpy(volume), np.eye(4), _CORONAL)
    [worst] = case.most_suspicious(1)
    # Where nothing was rejected, one slice is as good as the other.
    shown = worst if worst.decision == "rejected" else case.slices[len(case.slices) // 2]
    index = shown.input_index or 0
    scaled = volume[:, index] / np.percentile(volume[volume > 0], 99.5)
    segmented = labels[:, index] if shown.decision == "accepted" else None
    view = SliceView(shown, scaled.astype(np.float32), np.zeros((2, 2), np.float32), labels=segmented)
    panels = slice_panels(view, plane, label_colors(max(names) + 1, names))
    cause = case.found.cause if case.found is not None else None
    return {
        "verdict": case.verdict,
        "cause": cause_in_words(cause) if cause else "",
        "remedy": remedy(cause) if cause else "",
        "rejected": case.count("rejected"),
        "checked": case.checked,
        "image": picture_to_data_uri(panels["image"]),
        "segmentation": picture_to_data_uri(panels["segmentation"]),
    }


def _array(path: Path) -> NDArray[Any]:
    return np.asarray(nib.load(path).dataobj)  # type: ignore[attr-defined]
