import numpy as np
import pytest
import torch

from monai_advdefense.data.checks.slice_size import check_slice_size
from monai_advdefense.errors import InputError


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
def test_slices_have_the_size_and_their_number_does_not_matter(slice_dim):
    image = torch.zeros(1, 20, 24).unsqueeze(slice_dim + 1).repeat_interleave(300, slice_dim + 1)
    check_slice_size(image, (20, 24), slice_dim=slice_dim)
    check_slice_size((image + 1).numpy(), [20, 24], slice_dim=slice_dim)


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
@pytest.mark.parametrize(("limit", "enough"), [((19, 20), (32, 20)), ((20, 16), (20, 32)), ((10, 10), (32, 32))])
def test_what_a_brain_fills_is_said_and_which_padding_would_do(slice_dim, limit, enough):
    image = torch.zeros(1, 30, 30, 30)
    image[:, 2:22, 2:22, 2:22] = 1
    with pytest.raises(InputError) as raised:
        check_slice_size(image, limit, slice_dim=slice_dim, path="scan.nii")
    message = str(raised.value)
    assert message.startswith(f"scan.nii: expected a brain (voxels above 0) of at most {limit[0]} x {limit[1]} voxels ")
    assert "found 20 x 20 voxels: " in message
    assert message.endswith(f"or pad to {enough}: set slice_size")


def test_a_size_that_suffices_is_a_multiple_of_16():
    with pytest.raises(InputError, match=r"pad to \(208, 192\): set slice_size"):
        check_slice_size(np.ones((1, 193, 5, 192)), (192, 192), slice_dim=1)
    with pytest.raises(InputError, match=r"pad to \(208, 192\): set slice_size"):
        check_slice_size(np.ones((1, 208, 5, 100)), (192, 192), slice_dim=1)


@pytest.mark.parametrize("shape", [(1, 31, 9, 32), (1, 33, 9, 32), (1, 32, 9, 40)])
def test_a_preprocessing_that_pads_otherwise_is_refused(shape):
    image = torch.zeros(shape)
    image[..., 8:20, :, 8:20] = 1
    with pytest.raises(InputError, match=r"slices of \(32, 32\) voxels after preprocessing, found .* set slice_size"):
        check_slice_size(image, (32, 32), slice_dim=1)
