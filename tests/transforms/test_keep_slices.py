from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, SpatialResample

from monai_advdefense.errors import InputError
from monai_advdefense.transforms import KeepSlices, KeepSlicesd
from monai_advdefense.transforms.guarded_channels import GuardedChannels

AFFINE = torch.tensor([[2.0, 0, 0, -9], [0, 3.0, 0, 5], [0, 0, 1.5, 7], [0, 0, 0, 1]], dtype=torch.float64)
CORONAL = GuardedChannels(1, "RAS", None, (0, 1), None, 8)


def _upright():
    values = torch.rand(2, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    return MetaTensor(values, affine=AFFINE)


@pytest.mark.parametrize("orientation", ["RAS", "PIR", "LPS", "SAL"])
def test_slices_are_those_of_the_upright_image_whatever_is_on_disk(orientation):
    upright = _upright()
    stored = Orientation(orientation, labels=None)(upright)
    kept = KeepSlices(CORONAL)(stored)
    assert torch.equal(kept.slices, upright.as_tensor().permute(2, 0, 1, 3))
    expected = torch.tensor([[2 * 2.5 - 9, 5 + 3 * number, 7 + 1.5 * 1.5] for number in range(5)], dtype=torch.float64)
    torch.testing.assert_close(kept.centers, expected)
    axis = CORONAL.slice_axis(stored)
    for number, index in enumerate(kept.indices.tolist()):
        found = Orientation("RAS", labels=None)(stored.select(axis + 1, index).unsqueeze(axis + 1))
        assert set(found.as_tensor().flatten().tolist()) == set(kept.slices[number].flatten().tolist())


@pytest.mark.parametrize("orientation", ["RAS", "PIR", "LPS"])
def test_slices_find_their_place_in_the_image_that_the_network_sees(orientation):
    kept = KeepSlices(CORONAL)(_upright())
    # Half the spacing along the slices' axis, and only the last three of them.
    target = AFFINE.clone()
    target[1, 1], target[1, 3] = 1.5, 5 + 3 * 2
    seen = SpatialResample()(_upright(), dst_affine=target, spatial_size=(6, 5, 4))
    turned = Orientation(orientation, labels=None)(seen)
    assert CORONAL.nearest(turned, kept.centers).tolist() == [-1, -1, 0, 2, 4]


def test_an_image_that_is_one_slice():
    kept = KeepSlices(GuardedChannels(None, None, None, (0, 1), None, 8))(torch.rand(3, 6, 4))
    assert kept.slices.shape == (1, 3, 6, 4)
    assert kept.indices.tolist() == [0]
    with pytest.raises(InputError, match="slice_dim: expected the axis that counts the slices of a volume"):
        KeepSlices(GuardedChannels(None, None, None, (0, 1), None, 8))(torch.rand(1, 6, 5, 4))


def test_labels_follow_the_slices_into_their_frame():
    image = torch.zeros(1, 5, 8, 9)
    image[:, :, 2:5, 3:7] = 1
    kept = KeepSlices(GuardedChannels(0, None, None, (0, 1), (6, 6), 8))(image)
    labels = (torch.rand(5, 8, 9, generator=torch.Generator().manual_seed(0)) * 5).long()
    framed = kept.framed(labels)
    assert framed.shape == (5, 6, 6)
    assert torch.equal(framed[kept.slices[:, 0] > 0], labels[image[0] > 0])


def test_dictionary_version_keeps_the_image_and_adds_its_slices():
    image = _upright()
    found = KeepSlicesd("image", CORONAL)({"image": image, "other": 1})
    assert found["image"] is image
    assert set(found) == {"image", "other", *(f"{name}_image" for name in ("slices", "centers", "indices", "frame"))}
