from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense.errors import InputError
from monai_advdefense.robustness import Settings
from monai_advdefense.robustness.case import case_of

WHOLE = Settings()
SIGMOID = Settings(activation="sigmoid")


def volume(*filled: int) -> dict[str, torch.Tensor]:
    """Slices along the second spatial axis, of which those that are ``filled`` hold their number."""
    image = torch.zeros(1, 4, 10, 3)
    for number in filled:
        image[:, 1:3, number, 1] = number + 1.0
    return {"image": image, "label": (image > 0).to(torch.uint8)}


def test_an_image_is_a_batch_of_one_and_named_by_its_file():
    image = MetaTensor(torch.rand(2, 5, 6), meta={"filename_or_obj": "/data\\brain_01.nii.gz"})
    case = case_of({"image": image}, 3, WHOLE)
    assert (case.name, case.subject, case.label) == ("brain_01.nii.gz", "brain_01.nii.gz", None)
    assert torch.equal(case.image, image.as_tensor()[None])
    assert type(case.image) is torch.Tensor
    assert case_of({"image": torch.rand(1, 2, 2)}, 3, WHOLE).name == "case 3"


def test_slices_are_the_middles_of_equal_parts_of_those_that_are_not_blank():
    item = volume(1, 2, 3, 4, 5, 6)
    settings = Settings(slice_dim=1, slices=2)
    case = case_of(item, 0, settings)
    assert case.image.shape == (2, 1, 4, 3)
    assert case.image.amax((1, 2, 3)).tolist() == [3.0, 6.0]  # slices 2 and 5
    assert torch.equal(case.label, (case.image[:, 0] > 0).long())
    assert len(case_of(item, 0, Settings(slice_dim=1, slices=99)).image) == 6
    assert len(case_of(item, 0, Settings(slice_dim=1)).image) == 6


def test_labels_of_structures_keep_their_channels():
    label = torch.randint(2, (3, 5, 6))
    case = case_of({"image": torch.rand(1, 5, 6), "label": label}, 0, Settings(activation="sigmoid"))
    assert torch.equal(case.label, label[None])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.uint16, torch.float16, torch.float64])
def test_labels_of_every_type_are_the_same_classes(dtype):
    label = torch.randint(2, (5, 6))
    case = case_of({"image": torch.rand(1, 5, 6), "label": label.to(dtype)}, 0, WHOLE)
    assert torch.equal(case.label, label[None])


def test_arrays_may_run_backwards():
    image, label = torch.rand(1, 5, 6), torch.randint(3, (5, 6))
    flipped = case_of({"image": np.flip(image.numpy(), 1), "label": np.flip(label.numpy(), 0)}, 0, WHOLE)
    assert torch.equal(flipped.image[0], image.flip(1))
    assert torch.equal(flipped.label[0], label.flip(0))


def test_the_checksum_is_that_of_image_and_label():
    item = volume(1)
    same, other = case_of(item, 0, WHOLE), case_of({**item, "label": 1 - item["label"]}, 0, WHOLE)
    assert same.sha256 == case_of(item, 5, WHOLE).sha256
    assert len({same.sha256, other.sha256, case_of({"image": item["image"]}, 0, WHOLE).sha256}) == 3


@pytest.mark.parametrize(
    ("item", "settings", "message"),
    [
        ({"img": 0}, WHOLE, r"data\[7\]: expected an entry 'image', found img"),
        (3, WHOLE, r"data\[7\]: expected an entry 'image', found int"),
        ({"image": torch.full((1, 2, 2), torch.nan)}, WHOLE, "case 7: expected an image .* found NaN or infinity"),
        ({"image": torch.rand(2, 2)}, WHOLE, r"found shape \(2, 2\)"),
        ({"image": torch.rand(1, 2, 2), "label": torch.zeros(1, 3, 2)}, WHOLE, r"expected a label \(1, \*spatial\)"),
        ({"image": torch.rand(1, 2, 2), "label": torch.zeros(2, 2, 2)}, WHOLE, "set activation to sigmoid"),
        ({"image": torch.rand(1, 2, 2), "label": torch.full((2, 2), 0.5)}, WHOLE, "a label of whole numbers"),
        ({"image": torch.rand(1, 2, 2), "label": torch.full((2, 2), -1)}, WHOLE, "a label of whole numbers"),
        ({"image": "brain.nii"}, WHOLE, "case 7: expected an image of numbers, found a str: load it"),
        (
            {"image": torch.rand(1, 2, 2) + 0j},
            WHOLE,
            "an image of real numbers, found torch.complex64",
        ),
        ({"image": torch.rand(1, 0, 2)}, WHOLE, r"case 7: expected an image .* found shape \(1, 0, 2\)"),
        ({"image": torch.rand(1, 2, 2), "label": "a.nii"}, WHOLE, "case 7: expected a label of numbers, found a str"),
        ({"image": torch.rand(1, 2, 2), "label": torch.full((1, 2, 2), 2)}, SIGMOID, "0 and 1 for a sigmoid.* with 2"),
        ({"image": torch.rand(1, 2, 2), "label": torch.ones(0, 2, 2)}, SIGMOID, r"expected a label .* \(0, 2, 2\)"),
        (
            {"image": torch.rand(1, 2, 2)},
            Settings(slice_dim=2),
            "case 7: expected an image with the axis 2 of",
        ),
        ({"image": torch.zeros(1, 2, 2, 2)}, Settings(slice_dim=0), "expected a slice that is not blank, found none"),
    ],
)
def test_what_cannot_be_used_is_named_on_one_line(item, settings, message):
    with pytest.raises(InputError, match=message) as raised:
        case_of(item, 7, settings)
    assert "\n" not in str(raised.value)
