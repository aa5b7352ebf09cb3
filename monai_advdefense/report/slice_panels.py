"""One slice as pictures."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from monai_advdefense.report.slice_view import Plane, SliceView

__all__ = ["RESIDUAL_COLORS", "slice_panels"]

RESIDUAL_COLORS = "inferno"
_PIXEL = 2
# The same for all slices, so that they can be compared: magnitudes from 6e-6 to 0.2.
_SPECTRUM_RANGE = (0.25, 0.9)
_MILLIMETERS, _CYCLES = 20.0, 0.2
# Colors of a picture of 256: a ramp of grays, on which letters and bars are drawn, and the others.
_GRAYS = 64
_OTHERS = 256 - _GRAYS

_Pixels = NDArray[np.uint8]
_Values = NDArray[np.floating]


def slice_panels(
    view: SliceView, plane: Plane, colors: Mapping[int, str], *, residual_limit: float | None = None
) -> dict[str, Image.Image]:
    """Draw one slice as pictures of equal height.

    The second axis of the slice points up. Images have letters for the patient's sides and a scale bar; spectra have
    the zero frequency in the middle and a scale bar in cycles/mm.

    Args:
        view: the slice.
        plane: how it lies in the patient.
        colors: color of each label above 0.
        residual_limit: residual at the upper end of the color scale; by default the largest of this slice.

    Returns:
        Pictures ``image``, ``spectrum``, ``residual`` and ``reformed`` where there are such, and ``segmentation``. For
        a slice that was not accepted the last one says so and shows no labels.
    """
    low, high = _SPECTRUM_RANGE
    panels = {
        "image": _of_image(_gray(view.image[plane.window]), 256, plane),
        "spectrum": _of_spectrum(_gray((view.spectrum - low) / (high - low)), 256, plane),
    }
    if view.residual is not None:
        share = view.residual / (residual_limit or float(view.residual.max()) or 1.0)
        drawn = _of_spectrum if view.residual_in_spectrum else _of_image
        shown = share if view.residual_in_spectrum else share[plane.window]
        panels["residual"] = _with_palette(drawn(_GRAYS + _levels(shown, _OTHERS), _GRAYS, plane), _residual_palette())
    if view.reformed is not None:
        panels["reformed"] = _of_image(_gray(view.reformed[plane.window]), 256, plane)
    return {**panels, "segmentation": _segmentation(view, plane, colors)}


def _segmentation(view: SliceView, plane: Plane, colors: Mapping[int, str]) -> Image.Image:
    gray = np.clip(view.image[plane.window], 0.0, 1.0)
    if view.labels is None:
        words = "rejected" if view.record.decision == "rejected" else "not checked"
        return _of_image(_gray(_hatched(0.35 * gray)), 256, plane, (words, "no segmentation"))
    labels = view.labels[plane.window]
    # Labels of one color share its shades: there are more labels than shades, and few colors.
    shown: dict[str, list[int]] = {}
    for label in np.unique(labels).tolist():
        if label in colors:
            shown.setdefault(colors[label], []).append(label)
    shades = _OTHERS // max(len(shown), 1)
    pixels, palette = _levels(gray, _GRAYS), [_ramp(_GRAYS)]
    for place, (color, alike) in enumerate(shown.items()):
        here = np.isin(labels, alike)
        pixels[here] = _GRAYS + place * shades + _levels(gray[here], shades)
        palette.append(np.rint(0.45 * _ramp(shades) + 0.55 * np.array(ImageColor.getrgb(color))))
    return _with_palette(_of_image(pixels, _GRAYS, plane), np.concatenate(palette))


def _levels(values: _Values, number: int) -> _Pixels:
    """Values from 0 to 1 as whole numbers below ``number``."""
    return np.rint(np.clip(values, 0.0, 1.0) * (number - 1)).astype(np.uint8)


def _gray(values: _Values) -> _Pixels:
    return _levels(values, 256)


def _ramp(number: int) -> NDArray[np.floating]:
    """Grays ``(number, 3)`` from black to white."""
    return np.linspace(0.0, 255.0, number)[:, None].repeat(3, axis=1)


@functools.cache
def _residual_palette() -> NDArray[np.floating]:
    return np.concatenate([_ramp(_GRAYS), 255 * colormaps[RESIDUAL_COLORS](np.linspace(0, 1, _OTHERS))[:, :3]])


def _with_palette(picture: Image.Image, palette: NDArray[np.floating]) -> Image.Image:
    picture.putpalette(np.rint(palette).astype(np.uint8).tobytes())
    return picture


def _hatched(values: _Values) -> _Values:
    """Lines across an image, from the lower left to the upper right."""
    first, second = np.indices(values.shape)
    return np.where((first - second) % 8 == 0, np.maximum(values, 0.3), values)


def _of_image(pixels: _Pixels, grays: int, plane: Plane, words: tuple[str, ...] = ()) -> Image.Image:
    """A part of a slice with the patient's sides, a scale bar and ``words`` in the middle."""
    large = _enlarged(pixels)
    for letter, x, y in zip(plane.ends, (0.04, 0.96, 0.5, 0.5), (0.5, 0.5, 0.955, 0.045), strict=True):
        _write(large, grays, letter, x, y)
    for row, line in enumerate(words):
        _write(large, grays, line, 0.5, 0.45 + 0.1 * row)
    _draw_scale(large, grays, _MILLIMETERS / (pixels.shape[0] * plane.spacing[0]), f"{_MILLIMETERS:g} mm")
    return Image.fromarray(large)


def _of_spectrum(pixels: _Pixels, grays: int, plane: Plane) -> Image.Image:
    large = _enlarged(pixels)
    # The spectrum is 1 / spacing wide.
    _draw_scale(large, grays, _CYCLES * plane.spacing[0], f"{_CYCLES:g} cycles/mm")
    return Image.fromarray(large)


def _enlarged(pixels: _Pixels) -> _Pixels:
    """Pixels as a picture has them: first axis to the right, second axis up."""
    return np.rot90(pixels).repeat(_PIXEL, axis=0).repeat(_PIXEL, axis=1)


def _draw_scale(large: _Pixels, grays: int, share: float, text: str) -> None:
    """Draw a bar over this share of the width, with its length as text, at the lower right."""
    height, width = large.shape
    bottom, right, length = round(0.965 * height), round(0.96 * width), round(share * width)
    large[bottom - 4 : bottom + 4, max(right - length - 2, 0) : right + 2] = 0
    large[bottom - 2 : bottom + 2, max(right - length, 0) : right] = grays - 1
    _write(large, grays, text, 0.96 - _tag(text, height).shape[1] / width / 2, 0.895)


def _write(large: _Pixels, grays: int, text: str, x: float, y: float) -> None:
    """Write a text, white on black, with its middle at these shares of width and height."""
    tag = _tag(text, len(large))
    top, left = (
        min(max(round(share * side - length / 2), 0), max(side - length, 0))
        for share, side, length in zip((y, x), large.shape, tag.shape, strict=True)
    )
    part = large[top : top + tag.shape[0], left : left + tag.shape[1]]
    part[:] = np.rint(tag[: part.shape[0], : part.shape[1]] * ((grays - 1) / 255))


@functools.lru_cache(maxsize=64)
def _tag(text: str, height: int) -> _Pixels:
    """A text for a picture of this height, in white on black."""
    font = ImageFont.load_default(size=max(round(0.056 * height), 8))
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    picture = Image.new("L", (right - left + 6, bottom - top + 6), 0)
    ImageDraw.Draw(picture).text((3 - left, 3 - top), text, fill=255, font=font)
    return np.asarray(picture)
