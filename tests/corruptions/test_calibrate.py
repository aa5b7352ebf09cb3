from __future__ import annotations

import pytest
import torch

from monai_advdefense.corruptions import CORRUPTIONS, calibrated, corrupted
from monai_advdefense.errors import InputError

GRADED = [name for name, corruption in CORRUPTIONS.items() if corruption.graded]
# Their smallest steps are coarse on a grid as small as this.
COARSE = {
    "swapped slices", "wrong spacing", "aliasing", "missing half", "thick slices", "low resolution",
    "ring of missing lines",
}  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_zero_is_the_identity(name, slices):
    image, label = slices
    none = corrupted(image, name=name, severity=0.0, label=label)
    assert torch.equal(none.image, image)
    assert torch.equal(none.label, label)


@pytest.mark.parametrize("name", GRADED)
def test_all_change_the_image_by_the_same_amount(name, slices):
    image, _ = slices
    found = calibrated(image, name=name, change=0.1, mask=image > 0)
    norm = torch.linalg.vector_norm
    change = norm((found.image - image).flatten(1), dim=1) / norm(image.flatten(1), dim=1)
    torch.testing.assert_close(found.change, change)
    torch.testing.assert_close(change, torch.full((3,), 0.1), rtol=0, atol=0.12 if name in COARSE else 0.0015)
    assert 0 <= found.image.min() <= found.image.max() <= 1


@pytest.mark.parametrize("name", GRADED)
def test_more_change_needs_more_severity(name, slices):
    image, _ = slices
    severities = [calibrated(image[:1], name=name, change=change).severity for change in (0.05, 0.1, 0.2)]
    assert severities == sorted(severities)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_sample_does_not_depend_on_the_others_nor_on_earlier_calls(name, slices):
    image, label = slices
    both = calibrated(image, name=name, change=0.1, label=label)
    one = calibrated(image[1:2], name=name, change=0.1, label=label[1:2])
    torch.testing.assert_close(one.image, both.image[1:2])
    assert torch.equal(one.label, both.label[1:2])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_volumes_of_several_channels(name, volume):
    label = (volume[:, :1] > 0.5).long()
    found = calibrated(volume, name=name, change=0.2, label=label, mask=(volume > 0).any(1, keepdim=True))
    assert found.image.shape == volume.shape
    assert found.label.shape == label.shape
    assert found.label.dtype == label.dtype
    assert found.change > 0.02


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_only_what_moves_the_body_leaves_the_mask_and_moves_labels(name, slices):
    image, label = slices
    found = corrupted(image, name=name, severity=0.9, label=label, mask=image > 0)
    outside = bool((found.image[image == 0] != 0).any())
    moves = name in {
        "mirrored", "upside down", "rotated", "wrong spacing", "missing half", "swapped slices", "aliasing"
    }  # fmt: skip
    assert (CORRUPTIONS[name].move is not None) == moves
    assert torch.equal(found.label, label) != moves
    assert moves or not outside


def test_what_cannot_be_reached_is_applied_at_its_worst(slices):
    image, _ = slices
    found = calibrated(image, name="darker", change=5.0)
    assert (found.image == 0).all()
    torch.testing.assert_close(found.change, torch.ones(3))
    assert (calibrated(image, name="mirrored", change=0.01).severity == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "rust"}, "name: expected one of bias field, .* found 'rust'"),
        ({"change": 0.0}, "change: expected a finite number above 0"),
        ({"image": torch.full((1, 1, 4, 4), 2.0)}, "image: expected values within bounds"),
        ({"mask": torch.ones(1, 1, 3, 3)}, "mask: expected shape"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"image": torch.rand(1, 1, 4, 4), "name": "blur", "change": 0.1} | change
    with pytest.raises(InputError, match=message):
        calibrated(arguments.pop("image"), **arguments)
    with pytest.raises(InputError, match="severity: expected a number from 0 to 1, found 2"):
        corrupted(torch.rand(1, 1, 4, 4), name="blur", severity=2)
