from __future__ import annotations

import pytest
import torch

from experiments.corruptions import CORRUPTIONS, corrupted
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import InputError


@pytest.fixture
def image():
    """Three slices with an empty border."""
    volume = torch.from_numpy(brain_phantom((40, 36, 40), seed=0)[0]).float()
    slices = volume.movedim(1, 0)[12:24:4, None]
    return slices / slices.max()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_brain_changes_and_nothing_else(name, image):
    spoilt = corrupted(image, name)
    assert spoilt.shape == image.shape
    assert (spoilt[image == 0] == 0).all()
    assert 0 <= spoilt.min() <= spoilt.max() <= 1
    assert ((spoilt - image).abs().flatten(1).amax(1) > 0.02).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_slice_does_not_depend_on_the_others_nor_on_earlier_calls(name, image):
    both = corrupted(image, name)
    torch.testing.assert_close(corrupted(image[1:2], name), both[1:2])
    torch.testing.assert_close(corrupted(image, name), both)


def test_closed_forms(image):
    inside = image > 0
    torch.testing.assert_close(corrupted(image, "inverted contrast")[inside], 1 - image[inside])
    rows = corrupted(image, "every eighth row lost")
    assert (rows[..., ::8, :] == 0).all()
    torch.testing.assert_close(rows[..., 1:8, :], image[..., 1:8, :])


def test_unknown_corruption_is_named(image):
    with pytest.raises(InputError, match="expected one of bias field, .* found 'rust'"):
        corrupted(image, "rust")
