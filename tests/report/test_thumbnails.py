from __future__ import annotations

import base64
import io

import numpy as np
import torch
from PIL import Image

from monai_advdefense.report import Plane, thumbnail, thumbnails_of_rejected


def _pixels(address):
    encoded = address.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))).convert("L"))


def test_the_first_axis_points_right_and_the_second_up():
    image = np.zeros((40, 60), np.float32)
    image[30:, 50:] = 1.0
    pixels = _pixels(thumbnail(image))
    assert pixels.shape == (60, 40)
    assert (pixels[:10, 30:] > 240).all()
    assert pixels[10:].max() == pixels[:, :30].max() == 0


def test_large_slices_become_small_and_values_that_are_no_numbers_black():
    address = thumbnail(np.full((192, 96), np.nan, np.float32))
    assert _pixels(address).shape == (40, 80)
    assert _pixels(address).max() == 0
    noise = np.random.default_rng(0).random((192, 192), dtype=np.float32)
    assert len(thumbnail(noise)) < 6500


def test_each_rejected_slice_has_its_own(make_case):
    volume = torch.arange(5.0).div(4)[None, :, None].expand(20, 5, 20)
    plane = Plane("LRIS", (1.0, 1.0), (slice(4, 12), slice(2, 12)))
    found = thumbnails_of_rejected(volume, make_case([0.1, 3.0, 0.4, 2.0, 0.9]).slices, plane, 1)
    assert list(found) == [1, 3]
    assert _pixels(found[1]).shape == (10, 8)
    assert abs(int(_pixels(found[3])[0, 0]) - 0.75 * 255) < 9
