"""Draw a segmentation with rejected slices over its image.

python -m examples.monai_label.picture --image IMAGE --segmentation SEGMENTATION --output PICTURE
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from examples.attacked_sample import REJECTED
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import InputError, exit_on_error

_RED = "#d62728"


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Draw an axial plane through the middle of the brain; rejected coronal slices are lines in it."""
    parser = argparse.ArgumentParser(prog="python -m examples.monai_label.picture", description=main.__doc__)
    parser.add_argument("--image", type=Path, required=True, help="NIfTI volume that was segmented")
    parser.add_argument("--segmentation", type=Path, required=True, help="NIfTI volume that came back")
    parser.add_argument("--output", type=Path, required=True, help="PNG file")
    options = parser.parse_args(arguments)
    volumes = [nib.as_closest_canonical(nib.load(path)) for path in (options.image, options.segmentation)]
    if volumes[0].shape != volumes[1].shape:
        raise InputError(
            f"{options.segmentation}: expected shape {volumes[0].shape} of {options.image}, found {volumes[1].shape}: "
            "give a segmentation of this image"
        )
    image, labels = (np.asarray(volume.dataobj) for volume in volumes)
    inside = np.argwhere(image > 0)
    (left, back, low), (right, front, high) = inside.min(axis=0), inside.max(axis=0) + 1
    height = (low + high) // 2
    figure = _figure(image[left:right, back:front, height].T, labels[left:right, back:front, height].T)
    with atomic_path(options.output) as temporary:
        # A palette of 256 colours is enough, and a third of the size.
        Image.fromarray(_pixels(figure)).quantize(256).save(temporary)


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(image: np.ndarray, labels: np.ndarray) -> Figure:
    """Image, and image with structures in colours; rows are coronal slices."""
    figure = Figure(figsize=(8, 4.9), dpi=110, layout="constrained")
    axes = figure.subplots(1, 2)
    rejected = np.flatnonzero((labels == REJECTED).any(axis=1))
    colors = mpl.colormaps["gist_ncar"](np.linspace(0.05, 0.95, REJECTED + 1))
    shown = np.ma.masked_where((labels == 0) | (labels == REJECTED), labels)
    for axis, title in zip(axes, ("sent: some slices are attacked", "came back"), strict=True):
        axis.imshow(image, cmap="gray", origin="lower", vmax=np.percentile(image[image > 0], 99.5))
        axis.set_title(title, fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    axes[1].imshow(
        shown,
        cmap=mpl.colors.ListedColormap(colors),
        vmin=0,
        vmax=REJECTED,
        alpha=0.65,
        interpolation="nearest",
        origin="lower",
    )
    axes[1].imshow(
        np.ma.masked_where(labels != REJECTED, labels),
        cmap=mpl.colors.ListedColormap([_RED]),
        interpolation="nearest",
        origin="lower",
    )
    axes[1].set_yticks(rejected, ["rejected"] * len(rejected), color=_RED, fontsize=9)
    axes[1].yaxis.tick_right()
    axes[1].tick_params(length=0)
    return figure


if __name__ == "__main__":
    main()
