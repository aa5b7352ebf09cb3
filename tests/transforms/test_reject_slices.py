from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from monai_advdefense import transforms
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import RejectSlices, RejectSlicesd


@pytest.fixture
def pred():
    return torch.randint(4, (2, 3, 4, 5), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rejected_slices_have_the_label_and_the_others_stay(pred, axis):
    accepted = torch.arange(pred.shape[axis + 1]) != 1
    result = RejectSlices(9, axis)(pred, accepted)
    expected = pred.numpy().copy()
    expected.swapaxes(0, axis + 1)[1] = 9
    assert np.array_equal(result.numpy(), expected)


@pytest.mark.parametrize("stored", ["LPS", "PIR", "SAL"])
def test_slices_count_along_the_anatomical_axis(pred, stored):
    accepted = torch.tensor([True, False, True, False])
    turn = Orientation(axcodes=stored, labels=None)
    upright = MetaTensor(pred.float(), affine=torch.eye(4))
    result = RejectSlices(9, 1, axcodes="RAS")(turn(upright), accepted)
    expected = turn(RejectSlices(9, 1)(upright, accepted))
    assert torch.equal(result.as_tensor(), expected.as_tensor())
    assert torch.equal(result.affine, turn(upright).affine)


def test_a_prediction_may_be_one_slice(pred):
    assert torch.equal(RejectSlices(9)(pred, torch.tensor([True])), pred)
    assert (RejectSlices(9)(pred, torch.tensor([False])) == 9).all()


def test_arrays_keep_their_type(pred):
    array = pred.numpy().astype(np.uint8)
    result = RejectSlices(255, 0)(array, np.array([True, False, True]))
    assert (type(result), result.dtype) == (np.ndarray, np.uint8)
    assert (result[:, 1] == 255).all()
    assert np.array_equal(result[:, ::2], array[:, ::2])


def test_another_number_of_slices_is_refused(pred):
    with pytest.raises(InputError, match=r"expected 7 slices.+found 4.+Invertd"):
        RejectSlices(9, 1)(pred, torch.ones(7, dtype=torch.bool))


def test_a_label_of_the_network_is_refused(pred):
    with pytest.raises(InputError, match="label.+found 3"):
        RejectSlices(3, 1)(pred, torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool])
def test_a_label_that_the_type_cannot_hold_is_refused(pred, dtype):
    with pytest.raises(InputError, match="fits into"):
        RejectSlices(255, 1)(pred.to(dtype), torch.ones(4, dtype=torch.bool))


def test_one_rejecting_image_is_enough(pred):
    data = {
        "pred": pred,
        "accepted_t1": torch.tensor([True, True, False, True]),
        "accepted_t2": torch.tensor([False, True, True, True]),
    }
    result = RejectSlicesd("pred", ("accepted_t1", "accepted_t2"), 9, 1)(data)
    assert (result["pred"] == 9).all(3).all(1).tolist() == [[True, False, True, False]] * 2
    assert data["pred"] is pred


def test_missing_keys(pred):
    accepted = torch.ones(4, dtype=torch.bool)
    with pytest.raises(InputError, match="accepted_image.+DetectAdversariald"):
        RejectSlicesd("pred", "accepted_image", 9, 1)({"pred": pred})
    with pytest.raises(KeyError, match="pred"):
        RejectSlicesd("pred", "accepted_image", 9, 1)({"accepted_image": accepted})
    result = RejectSlicesd("pred", "accepted_image", 9, 1, allow_missing_keys=True)({"accepted_image": accepted})
    assert set(result) == {"accepted_image"}


@pytest.mark.parametrize("suffix", ["D", "Dict"])
def test_aliases(suffix):
    assert getattr(transforms, "RejectSlices" + suffix) is RejectSlicesd


@pytest.mark.parametrize("scores", [torch.tensor([0.2, 5.0, 0.1, 7.0]), torch.tensor([1, 0, 1, 1]), "yes"])
def test_what_are_no_decisions_is_refused(pred, scores):
    """Scores lie beside the decisions; each that is not 0 would accept its slice."""
    with pytest.raises(InputError, match="accepted.+bool"):
        RejectSlices(9, 1)(pred, scores)
    with pytest.raises(InputError, match="score_image.+bool"):
        RejectSlicesd("pred", "score_image", 9, 1)({"pred": pred, "score_image": scores})


def test_an_axis_that_the_prediction_has_not_is_named(pred):
    with pytest.raises(InputError, match="slice_dim.+0 to 2.+found 3"):
        RejectSlices(9, 3)(pred, torch.ones(4, dtype=torch.bool))
