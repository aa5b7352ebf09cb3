from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.guard.prediction_typicality import prediction_numbers
from monai_advdefense.guard.scores.foreground import area, foreground, slice_position
from monai_advdefense.guard.volume_predictions import class_logits, numbers_by_slice, numbers_of_slices
from tests.guard.phantom_screen import CLASSES, numbers, phantom, predictions


def test_independent_channels_get_a_class_for_none_of_them():
    output = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    logits = class_logits(output, independent=True)
    torch.testing.assert_close(logits.softmax(dim=1)[:, 1:], output.sigmoid())
    # One channel leaves no other reading.
    assert torch.equal(class_logits(output, independent=False), logits)
    several = torch.tensor([[-1.0, 3.0, 2.0]]).view(1, 3, 1, 1)
    assert class_logits(several, independent=True).argmax(dim=1).item() == 2
    assert torch.equal(class_logits(several, independent=False), several)


@pytest.mark.parametrize("output", [[torch.zeros(1, 2, 4, 4)], torch.zeros(1, 2), torch.zeros(1, 2, 4, 4).long()])
def test_what_is_no_segmentation_is_refused(output):
    with pytest.raises(InputError, match=r"prediction: expected logits \(B, channels, \*spatial\)"):
        class_logits(output, independent=False)


def test_numbers_are_those_of_the_composite_on_the_same_slices():
    image, label = phantom(3)
    logits, purified = predictions(3, label)
    found = numbers_by_slice(numbers_of_slices(purified, logits, image), torch.arange(len(image)), image)
    areas = area(foreground(image))
    # The second prediction is the one that the segmentation is made of; the image tells what is background.
    whole = (image != 0).float()
    expected = prediction_numbers(logits, purified, whole, slice_position(areas), areas.clamp_min(1).log())
    for name in ("divergence", "entropy", "count", "area", "centroid", "position", "log_area"):
        torch.testing.assert_close(getattr(found, name).float(), getattr(expected, name).float())


def test_slices_take_the_numbers_of_the_nearest_one_and_those_beyond_have_none():
    image = phantom(3)[0]
    whole = numbers(3)
    places = torch.full((len(image),), -1)
    places[10:20] = torch.arange(5).repeat_interleave(2) + 12
    found = numbers_by_slice(whole, places, image)
    assert not found.area[:10].any()
    assert not found.count[20:].any()
    assert torch.equal(found.area[10:20], whole.area[12:17].repeat_interleave(2, dim=0))
    # Place and size are those of the slices that are counted.
    assert torch.equal(found.position, whole.position)
    assert found.area.shape == (len(image), CLASSES)
