from __future__ import annotations

import base64
import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from monai_advdefense.report import drawing_to_data_uri, figure_to_data_uri, picture_to_data_uri


def _decoded(address, kind):
    return base64.b64decode(address.removeprefix(f"data:{kind};base64,"), validate=True)


def _picture(address):
    return Image.open(io.BytesIO(_decoded(address, "image/png")))


def test_a_picture_is_the_same_after_its_way_through_an_address():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5), np.uint8)
    gray = Image.fromarray(pixels)
    np.testing.assert_array_equal(_picture(picture_to_data_uri(gray)), pixels)
    colored = Image.fromarray(pixels)
    colored.putpalette(np.random.default_rng(1).integers(0, 256, 768, np.uint8).tobytes())
    again = _picture(picture_to_data_uri(colored))
    np.testing.assert_array_equal(again.convert("RGB"), colored.convert("RGB"))


def test_a_drawing_is_the_same_after_its_way_through_an_address():
    assert _decoded(drawing_to_data_uri("<svg>−1</svg>"), "image/svg+xml").decode() == "<svg>−1</svg>"


def test_a_figure_has_its_colors_and_leaves_the_global_state_alone():
    before = mpl.rcParams.copy()
    figure = Figure(figsize=(1, 2), dpi=50, facecolor="#0072B2")
    picture = _picture(figure_to_data_uri(figure))
    assert picture.size == (50, 100)
    assert picture.convert("RGB").getpixel((20, 20)) == (0, 0x72, 0xB2)
    # The first look at the backend's name resolves it.
    assert {**mpl.rcParams, "backend": None} == {**before, "backend": None}
