"""Draw the coronal slices of a volume, and what came back for each.

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
    """Draw each coronal slice above its segmentation; rejected ones are red."""
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
    figure = _figure(image[left:right, back:front, low:high], labels[left:right, back:front, low:high])
    with atomic_path(options.output) as temporary:
        # A palette of 256 colours is enough, and a third of the size.
        Image.fromarray(_pixels(figure)).quantize(256).save(temporary)


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figure(image: np.ndarray, labels: np.ndarray) -> Figure:
    count = image.shape[1]
    figure = Figure(figsize=(1.1 * count, 2.2), dpi=110, layout="constrained")
    axes = figure.subplots(2, count, squeeze=False)
    colors = mpl.colormaps["gist_ncar"](np.linspace(0.05, 0.95, REJECTED + 1))
    colors[REJECTED] = mpl.colors.to_rgba(_RED)
    brightest = np.percentile(image[image > 0], 99.5)
    for number, (above, below) in enumerate(axes.T):
        for axis in (above, below):
            axis.imshow(image[:, number].T, cmap="gray", origin="lower", vmin=0, vmax=brightest)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
        shown = np.ma.masked_equal(labels[:, number].T, 0)
        colored = mpl.colors.ListedColormap(colors)
        below.imshow(shown, cmap=colored, vmin=0, vmax=REJECTED, alpha=0.65, interpolation="nearest", origin="lower")
        if (labels[:, number] == REJECTED).any():
            below.set_xlabel("rejected", color=_RED, fontsize=9)
    axes[0, 0].set_ylabel("sent", fontsize=9)
    axes[1, 0].set_ylabel("came back", fontsize=9)
    return figure


if __name__ == "__main__":
    main()
