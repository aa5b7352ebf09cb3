from __future__ import annotations

import base64
import io

import numpy as np
import torch
from PIL import Image

from monai_advdefense.robustness.pictures import pictures


def _pixels(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")).astype(int)


def test_the_first_axis_goes_to_the_right_and_the_second_up():
    image, labels = torch.zeros(1, 1, 40, 40), torch.zeros(1, 40, 40, dtype=torch.long)
    image[0, 0, 25:, 30:] = 1
    labels[0, 25:, 30:] = 2
    whole = torch.ones_like(labels)
    gray, colored = (_pixels(uri) for uri in pictures(image, labels, whole))
    assert gray.shape == colored.shape == (40, 40, 3)
    assert (gray[:10, 25:] == 255).all()
    assert (gray[10:] == 0).all()
    assert (colored[10:] == 0).all()
    assert (colored[:10, 25:] != 255).any()


def test_the_part_with_structures_is_shown_whatever_became_of_the_image():
    reference = torch.zeros(1, 40, 40, dtype=torch.long)
    reference[0, 8:24, 16:24] = 1
    for image in (torch.rand(1, 1, 40, 40), torch.zeros(1, 1, 40, 40)):
        assert _pixels(pictures(image, reference, reference)[0]).shape == (8, 18, 3)


def test_of_a_volume_the_slice_with_most_structures():
    image = torch.zeros(1, 2, 16, 16, 5)
    image[0, 0, ..., 3] = 1
    reference = torch.zeros(1, 2, 16, 16, 5, dtype=torch.long)  # structures that overlap
    reference[0, 1, 2:14, 2:14, 3] = 1
    reference[0, 0, 4:6, 4:6, 1] = 1
    assert (_pixels(pictures(image, reference, reference)[0]) == 255).all()
