"""Figures of a report."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from monai_advdefense.report.case import Case, Decision, SliceRecord
from monai_advdefense.report.slice_view import Plane, SliceView

__all__ = ["DECISION_COLORS", "INK", "color_bar", "figure_to_data_uri", "score_curve", "slice_panels"]

INK = "#1f2933"
DECISION_COLORS: dict[Decision, str] = {
    "accepted": "#0072B2",
    "rejected": "#C2410C",
    "not_checked": "#7b8794",
    "not_judged": "#7b8794",
    "blank": "#7b8794",
}
_DIRECTION = {"x": "left to right", "y": "posterior to anterior", "z": "inferior to superior"}
_PIXEL = 2
# The same for all slices, so that they can be compared: magnitudes from 6e-6 to 0.2.
_SPECTRUM_RANGE = {"vmin": 0.25, "vmax": 0.9}
_BACKING = {"facecolor": "black", "edgecolor": "none", "alpha": 0.6, "boxstyle": "round,pad=0.2"}


def score_curve(case: Case, *, narrow: bool = False) -> Figure:
    """Draw the score of every slice, the threshold, and what was rejected.

    Args:
        case: the scores.
        narrow: for a phone: less wide, fewer ticks.
    """
    figure = Figure(figsize=(3.5, 3.7) if narrow else (10.0, 3.7), dpi=160, layout="constrained")
    axes = figure.subplots()
    finite = [record for record in case.judged if math.isfinite(record.score)]
    curve = np.full(len(case.slices), np.nan)
    curve[[record.index for record in finite]] = [record.score for record in finite]
    axes.plot(curve, color="#9fb3c8", linewidth=1.2, zorder=1, gid="curve")
    _plot(axes, _with(finite, "accepted"), "o", color=DECISION_COLORS["accepted"], markersize=3.5, label="accepted")
    _plot(axes, _with(finite, "rejected"), "v", color=DECISION_COLORS["rejected"], markersize=6.5, label="rejected")
    _plot(
        axes,
        _with(finite, "not_checked"),
        "s",
        color=DECISION_COLORS["not_checked"],
        markersize=3.5,
        label="not checked",
    )
    unknown = [record.index for record in case.slices if not math.isfinite(record.score)]
    if unknown:
        style: dict[str, Any] = {
            "color": DECISION_COLORS["not_checked"],
            "marker": "x",
            "linestyle": "none",
            "label": "score not a number",
        }
        axes.plot(unknown, [0.03] * len(unknown), transform=axes.get_xaxis_transform(), gid="unknown", **style)
    marked = [record.score for record in finite]
    if math.isfinite(case.threshold):
        axes.axhline(
            case.threshold, color=INK, linewidth=1.2, linestyle=(0, (5, 3)), gid="threshold", label="threshold"
        )
        marked.append(case.threshold)
    low, high = min(marked, default=0.0), max(marked, default=1.0)
    margin = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    # Not below 0 for scores that cannot be, with room for markers where they can.
    axes.set_ylim(low - margin if low < 0 else max(low - margin, 0.0), high + margin)
    axes.set_xlim(-1, max(len(case.slices), 1))
    axes.set_ylabel("Score (no unit)", fontsize=10, color=INK)
    axes.set_xlabel("Slice number", fontsize=10, color=INK)
    axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK)
    axes.locator_params(axis="x", nbins=5 if narrow else 12, integer=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _position_axis(axes, case, narrow)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=2 if narrow else 5, fontsize=9, frameon=False, labelcolor=INK)
    return figure


def slice_panels(
    view: SliceView, plane: Plane, colors: Mapping[int, str], *, residual_limit: float | None = None
) -> dict[str, Figure]:
    """Draw one slice as pictures of equal height.

    The second axis of the slice points up. Images have letters for the patient's sides and a scale bar; spectra have
    the zero frequency in the middle and a scale bar in cycles/mm.

    Args:
        view: the slice.
        plane: how it lies in the patient.
        colors: color of each label above 0.
        residual_limit: residual at the upper end of the color scale; by default the largest of this slice.

    Returns:
        Figures ``image``, ``spectrum``, ``residual`` and ``reformed`` where there are such, and ``segmentation``. For a
        slice that was not accepted the last one says so and shows no labels.
    """
    gray: dict[str, Any] = {"cmap": "gray", "vmin": 0.0, "vmax": 1.0}
    panels = {
        "image": _image_panel(view.image, plane, **gray),
        "spectrum": _spectrum_panel(view.spectrum, plane, cmap="gray", **_SPECTRUM_RANGE),
    }
    if view.residual is not None:
        limit = residual_limit or float(view.residual.max()) or 1.0
        residual = _spectrum_panel if view.residual_in_spectrum else _image_panel
        panels["residual"] = residual(view.residual, plane, cmap="inferno", vmin=0.0, vmax=limit)
    if view.reformed is not None:
        panels["reformed"] = _image_panel(view.reformed, plane, **gray)
    return {**panels, "segmentation": _segmentation_panel(view, plane, colors)}


def color_bar(limit: float) -> Figure:
    """Draw the color scale of the residual from 0 to ``limit``."""
    figure = Figure(figsize=(3.2, 0.7), dpi=160, layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.linspace(0, 1, 256)[None], cmap="inferno", aspect="auto", extent=(0, limit, 0, 1))
    axes.set_yticks([])
    axes.tick_params(labelsize=11, colors=INK)
    axes.locator_params(axis="x", nbins=5)
    return figure


def figure_to_data_uri(figure: Figure) -> str:
    """Encode a figure as PNG of at most 256 colors in a ``data:`` address."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    image = Image.fromarray(pixels)
    is_gray = (pixels == pixels[..., :1]).all()
    buffer = io.BytesIO()
    (image.convert("L") if is_gray else image.quantize(256)).save(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _plot(axes: Axes, records: list[SliceRecord], form: str, **style: Any) -> None:
    if records:
        axes.plot(
            [record.index for record in records],
            [record.score for record in records],
            form,
            gid=style["label"],
            **style,
        )


def _with(records: list[SliceRecord], decision: str) -> list[SliceRecord]:
    return [record for record in records if record.decision == decision]


def _position_axis(axes: Axes, case: Case, narrow: bool) -> None:
    """Add the world position on top where the slices are an even row."""
    if len(case.slices) < 2:
        return
    start = case.slices[0].position_mm
    step = (case.slices[-1].position_mm - start) / (len(case.slices) - 1)
    if step == 0:
        return

    def to_position(index: Any) -> Any:
        return start + step * index

    def to_index(position: Any) -> Any:
        return (position - start) / step

    secondary = axes.secondary_xaxis("top", functions=(to_position, to_index))
    words = _DIRECTION[case.position_axis]
    direction = words if step > 0 else " to ".join(reversed(words.split(" to ")))
    secondary.set_xlabel(f"World position {case.position_axis} (mm), {direction}", fontsize=10, color=INK)
    secondary.tick_params(labelsize=9, colors=INK)
    secondary.locator_params(axis="x", nbins=5 if narrow else 12)


def _panel(array: NDArray[Any], **style: Any) -> tuple[Figure, Axes]:
    """Show an array pixel by pixel, first axis to the right, second axis up."""
    width, height = array.shape[:2]
    figure = Figure(figsize=(width * _PIXEL / 100, height * _PIXEL / 100), dpi=100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    shown = array.swapaxes(0, 1)
    axes.imshow(shown, origin="lower", interpolation="nearest", aspect="auto", **style)
    return figure, axes


def _text(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    size = axes.bbox.height * 0.04
    style = {"ha": "center", "va": "center", "color": "white", "fontsize": size, "bbox": _BACKING, **style}
    axes.text(x, y, text, transform=axes.transAxes, **style)


def _scale_bar(axes: Axes, fraction: float, text: str) -> None:
    """Draw a bar over this fraction of the width, with its length as text, at the lower right."""
    x, y = [0.96 - fraction, 0.96], [0.035, 0.035]
    for color, width in (("black", 4.5), ("white", 2.5)):
        axes.plot(x, y, transform=axes.transAxes, color=color, linewidth=width, scalex=False, scaley=False)
    _text(axes, 0.96, 0.105, text, ha="right")


def _letters(axes: Axes, ends: str) -> None:
    for letter, x, y in zip(ends, (0.04, 0.96, 0.5, 0.5), (0.5, 0.5, 0.045, 0.955), strict=True):
        _text(axes, x, y, letter, fontweight="bold")


def _image_panel(image: NDArray[Any], plane: Plane, **style: Any) -> Figure:
    shown = image[plane.window]
    figure, axes = _panel(shown, **style)
    _letters(axes, plane.ends)
    _scale_bar(axes, 20.0 / (shown.shape[0] * plane.spacing[0]), "20 mm")
    return figure


def _spectrum_panel(spectrum: NDArray[Any], plane: Plane, **style: Any) -> Figure:
    figure, axes = _panel(spectrum, **style)
    # The spectrum is 1 / spacing wide.
    _scale_bar(axes, 0.2 * plane.spacing[0], "0.2 cycles/mm")
    return figure


def _segmentation_panel(view: SliceView, plane: Plane, colors: Mapping[int, str]) -> Figure:
    gray = np.clip(view.image[plane.window], 0.0, 1.0)[..., None].repeat(3, axis=-1)
    if view.labels is None:
        figure, axes = _panel(gray * 0.35)
        hatch = Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            hatch="//",
            facecolor="none",
            edgecolor="#9aa5b1",
            linewidth=0,
            alpha=0.5,
        )
        axes.add_patch(hatch)
        words = "rejected" if view.record.decision == "rejected" else "not checked"
        _text(axes, 0.5, 0.55, words, fontweight="bold", gid="refusal")
        _text(axes, 0.5, 0.45, "no segmentation")
    else:
        labels = view.labels[plane.window]
        for label, color in colors.items():
            here = labels == label
            gray[here] = 0.45 * gray[here] + 0.55 * np.asarray(to_rgb(color))
        figure, axes = _panel(gray)
    _letters(axes, plane.ends)
    _scale_bar(axes, 20.0 / (gray.shape[0] * plane.spacing[0]), "20 mm")
    return figure
