from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Flip, Orientation
from torch import nn

from monai_advdefense import transforms
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import Reform, Reformd

RANGE = (0, 2000)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_voxels_of_the_brain_are_what_the_reformer_gives_for_their_slice(brain, reformer, axis, batch_size):
    result = Reform(reformer, axis, value_range=RANGE, batch_size=batch_size)(brain)
    slices = brain[0].movedim(axis, 0)[:, None] / RANGE[1]
    with torch.no_grad():
        reformed = copy.deepcopy(reformer).eval()(slices)[:, 0].movedim(0, axis)
    expected = torch.where(brain[0] > 0, reformed * RANGE[1], 0)
    torch.testing.assert_close(result[0], expected, rtol=1e-4, atol=1e-2)
    assert (result != brain).any()


def test_the_identity_clips_to_the_percentile_and_leaves_the_rest(brain):
    result = Reform(nn.Identity(), 1, slice_size=(40, 40))(brain)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(brain[0].numpy()))
    top = np.percentile(brain[0][box], 99.5)
    torch.testing.assert_close(result, brain.clamp(max=float(top)), rtol=1e-5, atol=1e-3)
    assert (result < brain).any()


def test_only_guarded_channels_change(brain, reformer):
    image = torch.cat([brain, brain * 3 - 500, brain / 2])
    result = Reform(reformer, 1, channels=[2, 0], slice_size=(40, 40))(image)
    assert torch.equal(result[1], image[1])
    for channel in (0, 2):
        alone = Reform(reformer, 1, slice_size=(40, 40))(image[channel : channel + 1])
        assert torch.equal(result[channel], alone[0])
        assert not torch.equal(result[channel], image[channel])


@pytest.mark.parametrize("stored", ["LPS", "PIR", "SAL"])
def test_the_orientation_of_the_file_does_not_matter_and_stays(brain, reformer, stored):
    reform = Reform(reformer, 1, axcodes="RAS", slice_size=(40, 40))
    image = MetaTensor(brain, affine=torch.diag(torch.tensor([2.0, 1.0, 1.0, 1.0])), meta={"filename_or_obj": "a.nii"})
    turn = Orientation(axcodes=stored, labels=None)
    turned = turn(image)
    result = reform(turned)
    torch.testing.assert_close(result.as_tensor(), turn(reform(image)).as_tensor())
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, turned.affine)
    assert result.meta["filename_or_obj"] == "a.nii"


def test_earlier_operations_can_be_inverted_afterwards(brain, reformer):
    flip = Flip(1)
    image = MetaTensor(brain, affine=torch.eye(4))
    flipped = flip(image.clone())
    result = Reform(reformer, 1)(flipped)
    assert result.applied_operations == flipped.applied_operations
    back = flip.inverse(result)
    assert torch.equal(back.affine, image.affine)
    assert torch.equal((back.as_tensor() > 0), brain > 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_array_in_array_out(brain, reformer, dtype):
    image = brain.numpy().astype(dtype)
    result = Reform(reformer, 1)(image)
    assert type(result) is np.ndarray
    assert result.dtype == (np.float32 if dtype == np.int16 else dtype)
    np.testing.assert_allclose(result, Reform(reformer, 1)(brain).numpy(), rtol=1e-5, atol=1e-2)


def test_image_and_reformer_stay(brain, reformer):
    before, state = brain.clone(), copy.deepcopy(reformer.state_dict())
    result = Reform(reformer, 1)(brain)
    assert type(result) is torch.Tensor
    assert not result.requires_grad
    assert torch.equal(brain, before)
    assert all(torch.equal(value, state[key]) for key, value in reformer.state_dict().items())


def test_values_that_are_not_finite_are_refused(brain, reformer):
    brain[0, 5, 5, 5] = float("nan")
    with pytest.raises(InputError, match="finite"):
        Reform(reformer, 1)(brain)


def test_dictionary_reforms_its_keys_only(brain, reformer):
    data = {"image": brain, "other": brain / 2, "label": brain.clone()}
    result = Reformd(("image", "other"), reformer, 1, value_range=RANGE)(data)
    for key in ("image", "other"):
        assert torch.equal(result[key], Reform(reformer, 1, value_range=RANGE)(data[key]))
    assert result["label"] is data["label"]


def test_missing_key(brain, reformer):
    with pytest.raises(KeyError, match="other"):
        Reformd(("image", "other"), reformer, 1)({"image": brain})
    assert set(Reformd(("image", "other"), reformer, 1, allow_missing_keys=True)({"image": brain})) == {"image"}


@pytest.mark.parametrize("suffix", ["D", "Dict"])
def test_aliases(suffix):
    assert getattr(transforms, "Reform" + suffix) is Reformd
