from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Flip
from torch import nn

from monai_advdefense import transforms
from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.transforms import DetectAdversarial, DetectAdversariald

RANGE = (0, 2000)


def _expected(volume, axis, threshold):
    """Scores and decisions by hand: norm of each slice's values up to half of the range."""
    scaled = np.clip(volume / RANGE[1], 0, 1)
    scores = np.sqrt((np.where(scaled > 0.5, 0, scaled) ** 2).sum(tuple(a for a in range(3) if a != axis)))
    return scores, scores <= threshold


def _calibrated(detector, threshold=3.0):
    detector.threshold.fill_(threshold)
    return detector


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_scores_and_decisions_are_those_of_each_slice(brain, detector, axis, batch_size):
    detect = DetectAdversarial(_calibrated(detector), axis, value_range=RANGE, batch_size=batch_size)
    score, accepted = detect(brain)
    expected, decisions = _expected(brain[0].numpy(), axis, 3.0)
    np.testing.assert_allclose(score.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert accepted.tolist() == decisions.tolist()
    assert 0 < accepted.sum() < len(accepted)
    assert (type(score), type(accepted), accepted.dtype) == (torch.Tensor, torch.Tensor, torch.bool)


def test_the_largest_score_of_the_guarded_channels_counts(brain, detector):
    _calibrated(detector)
    faint = brain / 2
    both = torch.cat([faint, brain, brain * 0 + 7000.0])
    scores = {c: DetectAdversarial(detector, 1, value_range=RANGE, channels=[c])(both)[0] for c in range(3)}
    score, accepted = DetectAdversarial(detector, 1, value_range=RANGE, channels=[0, 1])(both)
    assert torch.equal(score, torch.maximum(scores[0], scores[1]))
    assert (score > scores[0]).any()
    assert (score > scores[1]).any()
    assert torch.equal(accepted, score <= 3.0)
    everything, _ = DetectAdversarial(detector, 1, value_range=RANGE)(both)
    assert torch.equal(everything, torch.stack(list(scores.values())).amax(0))


def test_slices_count_along_the_anatomical_axis_whatever_the_storage(brain, detector):
    detect = DetectAdversarial(_calibrated(detector), 1, axcodes="RAS", value_range=RANGE)
    stored = MetaTensor(brain, affine=torch.eye(4))
    flipped = Flip(1)(stored)
    turned = MetaTensor(brain.permute(0, 2, 3, 1).flip(2), affine=_turned_affine(brain.shape))
    expected = detect(stored)
    for volume in (flipped, turned):
        for found, wanted in zip(detect(volume), expected, strict=True):
            torch.testing.assert_close(found, wanted)


def _turned_affine(shape):
    """Axes of the file are A, I, R."""
    affine = torch.zeros(4, 4)
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = 1, -1, 1, 1
    affine[2, 3] = shape[3] - 1
    return affine


def test_an_image_may_be_one_slice(brain, detector):
    image = brain[:, :, 14]
    score, accepted = DetectAdversarial(_calibrated(detector, 1000.0), value_range=RANGE)(image)
    expected = detector.score((image / RANGE[1]).clamp(0, 1)[None])
    torch.testing.assert_close(score, expected)
    assert accepted.tolist() == [True]


def test_blank_slices_are_accepted_without_a_look(brain):
    """Such as those that lie outside the brain: a detector that rejects everything says nothing about them."""
    detector = ReconstructionDetector(nn.Threshold(10.0, -10.0), domain="image")
    score, accepted = DetectAdversarial(_calibrated(detector), 1, slice_size=(40, 40))(brain)
    blank = ~(brain[0] > 0).any(2).any(0)
    assert torch.equal(accepted, blank)
    assert torch.equal(score == 0, blank)


def test_the_image_and_the_networks_weights_stay(brain):
    detector = _calibrated(ReconstructionDetector(nn.BatchNorm2d(1), domain="image").train())
    before, state = brain.clone(), copy.deepcopy(detector.state_dict())
    first = DetectAdversarial(detector, 1)(brain)
    detector.train()
    assert torch.equal(DetectAdversarial(detector, 1)(brain)[0], first[0])
    assert torch.equal(brain, before)
    assert all(torch.equal(value, state[key]) for key, value in detector.state_dict().items())


def test_arrays_and_integers(brain, detector):
    detect = DetectAdversarial(_calibrated(detector), 1, value_range=RANGE)
    for image in (brain.numpy(), brain.numpy().astype(np.int16), brain.double()):
        torch.testing.assert_close(detect(image), detect(brain))


def test_no_threshold_no_decision(brain, detector):
    with pytest.raises(CalibrationError, match="threshold"):
        DetectAdversarial(detector, 1)(brain)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"channels": [1]}, "channels"),
        ({"channels": [-1]}, "channels"),
        ({"axcodes": "RAS"}, "axcodes.+MetaTensor"),
        ({"slice_dim": 5}, "slice_dim"),
    ],
)
def test_arguments_that_do_not_fit_the_image(brain, detector, arguments, named):
    with pytest.raises(InputError, match=named):
        DetectAdversarial(_calibrated(detector), **{"slice_dim": 1, **arguments})(brain)


def test_arguments_that_fit_no_image(detector):
    with pytest.raises(InputError, match="batch_size"):
        DetectAdversarial(detector, 1, batch_size=0)
    with pytest.raises(InputError, match="channels"):
        DetectAdversarial(detector, 1, channels=[])
    with pytest.raises(InputError, match="axcodes"):
        DetectAdversarial(detector, None, axcodes="RAS")


def test_a_path_is_no_image(detector):
    with pytest.raises(InputError, match="found str: load"):
        DetectAdversarial(_calibrated(detector), 1)("brain.nii.gz")


@pytest.mark.parametrize(("slice_dim", "found"), [(None, 3), (0, 1)])
def test_slices_that_the_network_cannot_take(brain, slice_dim, found):
    detector = _calibrated(ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), domain="image"))
    image = brain if slice_dim is None else brain[:, 14]
    with pytest.raises(InputError, match=f"slice_dim.+2 axes.+found {found}"):
        DetectAdversarial(detector, slice_dim, value_range=RANGE)(image)


def test_dictionary(brain, detector):
    data = {"image": brain, "other": brain / 2, "label": "x"}
    arguments = {"slice_dim": 1, "value_range": RANGE, "batch_size": 4}
    result = DetectAdversariald(("image", "other"), _calibrated(detector), **arguments)(data)
    array = DetectAdversarial(detector, **arguments)
    for key in ("image", "other"):
        assert result[key] is data[key]
        torch.testing.assert_close((result[f"score_{key}"], result[f"accepted_{key}"]), array(data[key]))
    assert set(data) == {"image", "other", "label"}
    named = DetectAdversariald("image", detector, **arguments, score_prefix="s", accepted_prefix="ok")(data)
    assert set(named) - set(data) == {"s_image", "ok_image"}


def test_missing_key(brain, detector):
    with pytest.raises(KeyError, match="other"):
        DetectAdversariald(("image", "other"), _calibrated(detector), 1)({"image": brain})
    result = DetectAdversariald(("image", "other"), detector, 1, allow_missing_keys=True)({"image": brain})
    assert set(result) == {"image", "score_image", "accepted_image"}


@pytest.mark.parametrize("suffix", ["D", "Dict"])
def test_aliases(suffix):
    assert getattr(transforms, "DetectAdversarial" + suffix) is DetectAdversariald
