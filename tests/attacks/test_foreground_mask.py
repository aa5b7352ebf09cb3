from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks import foreground_mask
from monai_advdefense.errors import InputError

SCAN = torch.tensor([[[[-1000.0, -990.0], [40.0, 60.0]], [[-1000.0, 5.0], [-1000.0, -1000.0]]]])  # (1, 2, 2, 2)


def test_a_pixel_counts_if_some_channel_is_above():
    assert foreground_mask(SCAN, above=-500).tolist() == [[[[False, True], [True, True]]]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float16])
@pytest.mark.parametrize(
    ("above", "expected"),
    [(-500, [True, True, True]), (-0.5, [True, True, True]), (1.5, [False, False, True]), (300, [False, False, False])],
)
def test_values_need_not_be_of_the_type_of_the_image(dtype, above, expected):
    assert foreground_mask(torch.tensor([[[0, 1, 200]]], dtype=dtype), above=above).tolist() == [[expected]]


def test_percentiles_are_those_of_each_image_and_do_not_depend_on_units():
    image = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = foreground_mask(image, percentile=75)
    assert found.flatten(1).sum(1).tolist() == [16, 16, 16]
    assert torch.equal(found, foreground_mask(300 * image - 1000, percentile=75))
    assert torch.equal(found[1:2], foreground_mask(image[1:2], percentile=75))


def test_channels_that_may_change_are_true_alone():
    found = foreground_mask(SCAN, above=-500, channels=[1])
    assert found.tolist() == [[[[False, False], [False, False]], [[False, True], [True, True]]]]


@pytest.mark.parametrize(
    "options",
    [{}, {"above": 0.0, "percentile": 5}, {"percentile": 101}, {"above": 0.0, "channels": [2]}],
)
def test_what_does_not_fit_is_named(options):
    with pytest.raises(InputError, match="above|percentile|channels"):
        foreground_mask(SCAN, **options)
