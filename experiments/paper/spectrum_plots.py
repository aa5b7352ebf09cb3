"""Figures 2 and 3: a slice before and after the attack, and its spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments.paper.plot_style import INK
from experiments.paper.results import Floats
from experiments.tables import CLEAN
from monai_advdefense.guard.spectrum import fft_shift_magnitude

_Line: TypeAlias = tuple[str, Sequence[Floats], dict[str, Any]]

_GRAY: dict[str, Any] = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0}
# Of (log(magnitude + 1e-7) + 16) / 16: magnitudes from 6e-6 to 0.2.
_SPECTRUM: dict[str, Any] = {"cmap": "gray", "vmin": 0.25, "vmax": 0.9}


def images_plot(examples: dict[str, Floats]) -> Figure:
    """Draw a slice, its attacked copies, and what the attacks added."""
    clean = examples[CLEAN]
    images = list(examples.values())
    added = [image - clean for image in images[1:]]
    rows: list[_Line] = [("Image", images, _GRAY), ("Added by the attack", added, _diverging(added))]
    return _grid(list(examples), rows)


def spectra_plot(examples: dict[str, Floats]) -> Figure:
    """Draw the spectra of the same slices, unshifted and shifted, and how the attacks change them."""
    unshifted, shifted = ([_spectrum(image, shift) for image in examples.values()] for shift in (False, True))
    changed = [spectrum - shifted[0] for spectrum in shifted[1:]]
    rows: list[_Line] = [
        ("Spectrum, unshifted", unshifted, _SPECTRUM),
        ("Spectrum, shifted", shifted, _SPECTRUM),
        ("Change, shifted", changed, _diverging(changed)),
    ]
    return _grid(list(examples), rows)


def _spectrum(image: Floats, shift: bool) -> Floats:
    spectrum: Floats = fft_shift_magnitude(torch.from_numpy(np.ascontiguousarray(image)), shift=shift).numpy()
    return spectrum


def _diverging(changes: Sequence[Floats]) -> dict[str, Any]:
    """The same colors for all changes, white for none."""
    limit = max(float(np.quantile(np.abs(change), 0.999)) for change in changes) or 1.0
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def _grid(names: Sequence[str], rows: Sequence[_Line]) -> Figure:
    """Slices as columns and kinds of pictures as rows; a color bar where the clean slice has no change."""
    size = (2.2 * len(names), 2.2 * len(rows))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[union-attr, call-arg]
    panels = figure.subplots(len(rows), len(names), squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, name in zip(panels[0], names, strict=True):
        axes.set_title(name, y=1.0, fontsize=9.5, color=INK)
    for line, (title, pictures, style) in zip(panels, rows, strict=True):
        line[0].set_ylabel(title, fontsize=9.5, color=INK)
        missing = len(names) - len(pictures)
        for axes, picture in zip(line[missing:], pictures, strict=True):
            shown = axes.imshow(picture.T, origin="lower", interpolation="nearest", **style)
        for axes in line[:missing]:
            bar = figure.colorbar(shown, cax=axes.inset_axes((0.08, 0.5, 0.84, 0.06)), orientation="horizontal")
            bar.ax.tick_params(labelsize=8, colors=INK)
            bar.ax.locator_params(nbins=3)
            bar.outline.set_visible(False)
    return figure
