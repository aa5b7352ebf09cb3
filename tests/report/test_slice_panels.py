from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from monai_advdefense.report import Plane, SliceView, slice_panels

PLANE = Plane("LRIS", (1.0, 1.0), (slice(2, 22), slice(4, 24)))
LARGE = Plane("LRIS", (1.0, 1.0), (slice(0, 100), slice(0, 100)))


def _view(record, labels=None):
    ramp = np.zeros((24, 26), np.float32)
    ramp[12:22, 4:14] = 0.5  # right half, lower half
    return SliceView(record, ramp, ramp * 2, ramp, True, ramp, labels)


def _flat(record, value=0.5, side=100, **parts):
    image = np.full((side, side), value, np.float32)
    return SliceView(record, image, image, image, True, image, **parts)


def _colors(picture):
    return np.asarray(picture.convert("RGB")).astype(int)


def _holds(pixels, text, size):
    """Whether a text is written somewhere in gray pixels, white on black."""
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = (round(side) for side in font.getbbox(text))
    tag = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(tag).text((-left, -top), text, fill=255, font=font)
    parts = np.lib.stride_tricks.sliding_window_view(pixels, (bottom - top, right - left))
    return bool((np.abs(parts - np.asarray(tag).astype(int)).max(axis=(-2, -1)) < 6).any())


def test_panels_have_the_second_axis_upwards_and_the_first_to_the_right(make_case):
    record = make_case([0.5]).slices[0]
    for name in ("image", "reformed"):
        image = _colors(slice_panels(_view(record), PLANE, {})[name])
        height, width = image.shape[:2]
        assert (height, width) == (40, 40)
        # Away from letters and scale bar.
        assert image[int(height * 0.65), int(width * 0.7)].tolist() == [128] * 3
        assert image[int(height * 0.25), int(width * 0.7)].sum() == 0
        assert image[int(height * 0.65), int(width * 0.25)].sum() == 0


def test_accepted_slice_shows_its_labels_in_their_colors(make_case):
    labels = np.full((100, 100), 2)
    labels[:50] = 1
    labels[:, :40] = 0
    view = _flat(make_case([0.5]).slices[0], labels=labels)
    image = _colors(slice_panels(view, LARGE, {1: "#0000FF", 2: "#FF0000"})["segmentation"])
    mixed = 0.45 * 127.5
    assert image[60, 150] == pytest.approx([mixed + 0.55 * 255, mixed, mixed], abs=2)
    assert image[60, 50] == pytest.approx([mixed, mixed, mixed + 0.55 * 255], abs=2)
    assert image[150, 50] == pytest.approx([127.5] * 3, abs=3)


def test_many_labels_and_grays_keep_their_colors(make_case):
    rng = np.random.default_rng(0)
    labels, image = rng.integers(0, 29, (100, 100)), rng.random((100, 100), np.float32)
    colors = {label: f"#{8 * label:02x}{255 - 8 * label:02x}80" for label in range(1, 29)}
    view = SliceView(make_case([0.5]).slices[0], image, image, labels=labels)
    shown = _colors(slice_panels(view, LARGE, colors)["segmentation"])[80:120, 60:140:2]
    gray, here = np.rot90(image)[40:60].repeat(2, 0)[:, 30:70], np.rot90(labels)[40:60].repeat(2, 0)[:, 30:70]
    table = np.array([[0, 0, 0], *([8 * label, 255 - 8 * label, 128] for label in range(1, 29))])
    share = np.where(here > 0, 0.45, 1.0)[..., None]
    expected = share * 255 * gray[..., None] + (1 - share) * table[here]
    assert np.abs(shown - expected).max() < 14


def test_labels_of_one_color_share_its_shades(make_case):
    rng = np.random.default_rng(0)
    labels, image = rng.integers(1, 300, (100, 100)), rng.random((100, 100), np.float32)
    view = SliceView(make_case([0.5]).slices[0], image, image, labels=labels)
    picture = slice_panels(view, LARGE, dict.fromkeys(range(1, 300), "#4477AA"))["segmentation"]
    gray = np.rot90(image)[40:60].repeat(2, 0)[:, 30:70, None]
    expected = 0.45 * 255 * gray + 0.55 * np.array([0x44, 0x77, 0xAA])
    assert np.abs(_colors(picture)[80:120, 60:140:2] - expected).max() < 2


@pytest.mark.parametrize(("threshold", "words"), [(1.0, "rejected"), (math.nan, "not checked")])
def test_refused_slice_says_so_and_shows_no_label(make_case, threshold, words):
    record = make_case([3.0], threshold).slices[0]
    image = _colors(slice_panels(_flat(record), LARGE, {1: "#FF0000"})["segmentation"])
    assert (image.max(axis=-1) == image.min(axis=-1)).all()
    assert image[30:40, 30:60].max() < 100
    assert _holds(image[..., 0], words, 11)
    assert _holds(image[..., 0], "no segmentation", 11)
    assert not _holds(image[..., 0], "not checked" if words == "rejected" else "rejected", 11)


def test_the_sides_of_the_patient_stand_at_theirs(make_case):
    plane = Plane("APIS", (1.0, 1.0), (slice(0, 100), slice(0, 100)))
    panels = slice_panels(_flat(make_case([0.5]).slices[0]), plane, {})
    for name in ("image", "reformed"):
        pixels = _colors(panels[name])[..., 0]
        assert _holds(pixels[80:120, :30], "A", 11)
        assert _holds(pixels[80:120, 170:], "P", 11)
        assert _holds(pixels[170:, 80:120], "I", 11)
        assert _holds(pixels[:30, 80:120], "S", 11)
    assert not _holds(_colors(panels["spectrum"])[..., 0], "A", 11)


@pytest.mark.parametrize("size", [1.0, 2.0])
def test_scale_bars_have_their_length(make_case, size):
    plane = Plane("LRIS", (size, size), (slice(0, 100), slice(0, 100)))
    panels = slice_panels(_flat(make_case([0.5]).slices[0]), plane, {})
    for name, length in (("image", 2 * 20 / size), ("spectrum", 200 * 0.2 * size), ("residual", 200 * 0.2 * size)):
        row = _colors(panels[name])[193].min(axis=-1)
        assert (row == 255).sum() == pytest.approx(length, abs=1)


def test_residual_is_scaled_to_the_common_limit(make_case):
    record = make_case([0.5]).slices[0]
    for limit, share in ((4.0, 0.125), (0.5, 1.0), (None, 1.0)):
        picture = slice_panels(_flat(record), LARGE, {}, residual_limit=limit)["residual"]
        expected = 255 * np.array(colormaps["inferno"](share))[:3]
        assert _colors(picture)[20, 20] == pytest.approx(expected, abs=3)


def test_residual_of_an_image_shows_the_window_of_the_image(make_case):
    view = SliceView(make_case([0.5]).slices[0], *[np.ones((24, 26), np.float32)] * 3, residual_in_spectrum=False)
    assert slice_panels(view, PLANE, {})["residual"].size == (40, 40)


def test_values_out_of_range_are_black_and_white(make_case):
    image = np.full((100, 100), -3.0, np.float32)
    image[50:] = 7.0
    pixels = _colors(slice_panels(SliceView(make_case([0.5]).slices[0], image, image), LARGE, {})["image"])
    assert pixels[60, 50].tolist() == [0] * 3
    assert pixels[60, 150].tolist() == [255] * 3
