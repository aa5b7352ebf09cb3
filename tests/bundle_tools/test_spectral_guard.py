from __future__ import annotations

import dataclasses

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    EnsureTyped,
    Flipd,
    Identityd,
    Invertd,
    LoadImaged,
    NormalizeIntensityd,
    SaveImaged,
)
from torch import nn

from monai_advdefense.bundle_tools import Guard
from monai_advdefense.errors import InputError
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.transforms import DetectAdversariald, Reformd, RejectSlicesd


@pytest.fixture
def guard():
    """Rejects slices with a norm above 2, and halves what it accepts."""
    detector = ReconstructionDetector(nn.Threshold(10.0, 0.0), domain="image")
    detector.threshold.fill_(2.0)
    return Guard(detector=detector, reformer=nn.Conv2d(1, 1, 1), slice_size=(6, 6), slice_dim=1, value_range=(0, 1))


def _kinds(compose):
    return [type(transform) for transform in compose.transforms]


@pytest.mark.parametrize("nested", [False, True])
def test_the_guard_comes_after_what_loads_and_before_the_rest(guard, nested):
    load = [LoadImaged("image"), EnsureChannelFirstd("image"), EnsureTyped("image")]
    rest = [Flipd("image", 0), EnsureTyped("image"), NormalizeIntensityd("image")]
    theirs = Compose([Compose(load), *rest] if nested else [*load, *rest], lazy=True, log_stats=True)
    before = theirs.transforms
    guarded = guard.preprocessing(theirs)
    assert _kinds(guarded) == [*map(type, load), DetectAdversariald, Reformd, *map(type, rest)]
    # Invertd looks for the very transforms that were applied.
    assert all(mine is other for mine, other in zip(guarded.transforms[5:], rest, strict=True))
    assert (guarded.lazy, guarded.log_stats) == (True, True)
    assert theirs.transforms is before


def test_the_place_can_be_given(guard):
    theirs = Compose([Identityd("image"), Flipd("image", 0)])
    assert _kinds(guard.preprocessing(theirs))[:2] == [DetectAdversariald, Reformd]
    placed = Guard(detector=guard.detector, reformer=guard.reformer, slice_size=None, slice_dim=1, position=1)
    assert _kinds(placed.preprocessing(theirs)) == [Identityd, DetectAdversariald, Reformd, Flipd]


def test_slices_are_marked_before_they_are_saved(guard):
    invert = Invertd("pred", Compose([Flipd("image", 0)]), orig_keys="image")
    save = SaveImaged("pred", print_log=False)
    assert _kinds(guard.postprocessing(Compose([invert, save, save]))) == [
        Invertd,
        RejectSlicesd,
        SaveImaged,
        SaveImaged,
    ]
    assert _kinds(guard.postprocessing(Compose([invert]))) == [Invertd, RejectSlicesd]
    assert _kinds(guard.postprocessing(Compose([]))) == [RejectSlicesd]


def test_both_ends_together(guard):
    with torch.no_grad():
        guard.reformer.weight.fill_(0.5)
        guard.reformer.bias.zero_()
    theirs = Compose([Flipd("image", (0, 1))])
    volume = torch.full((1, 4, 3, 4), 0.2)
    volume[:, :, 0] = 0.9
    data = guard.preprocessing(theirs)({"image": MetaTensor(volume, affine=torch.eye(4))})
    assert torch.equal(data["image"].as_tensor(), (volume / 2).flip(1, 2))
    data["pred"] = torch.ones_like(data["image"])
    pred = guard.postprocessing(Compose([Invertd("pred", theirs, orig_keys="image")]))(data)["pred"]
    assert (pred[:, :, 0] == 255).all()
    assert (pred[:, :, 1:] == 1).all()


def test_several_images_of_a_case(guard):
    both = dataclasses.replace(guard, reformer=nn.Identity(), keys=("a", "b"))
    dark, bright = torch.full((1, 4, 2, 4), 0.1), torch.full((1, 4, 2, 4), 0.1)
    bright[:, :, 1] = 0.9
    images = {"a": MetaTensor(dark, affine=torch.eye(4)), "b": MetaTensor(bright, affine=torch.eye(4))}
    data = both.preprocessing(Compose([]))(images)
    data["pred"] = torch.zeros_like(data["a"])
    pred = both.postprocessing(Compose([]))(data)["pred"]
    assert (pred == 255).all(3).all(1).tolist() == [[False, True]]


def test_images_of_one_slice(guard):
    flat = dataclasses.replace(guard, slice_dim=None, axcodes=None, reformer=nn.Identity())
    for value, expected in ((0.1, 0.0), (0.9, 255.0)):
        data = flat.preprocessing(Flipd("image", 0))({"image": torch.full((1, 6, 6), value)})
        data["pred"] = torch.zeros(1, 6, 6)
        assert (flat.postprocessing([])(data)["pred"] == expected).all()


@pytest.mark.parametrize("position", [-1, 3])
def test_a_place_that_is_not_there_is_refused(guard, position):
    placed = dataclasses.replace(guard, position=position)
    with pytest.raises(InputError, match=f"position.+0 to 2.+found {position}"):
        placed.preprocessing(Compose([Identityd("image"), Compose([Flipd("image", 0)])]))


def test_a_label_that_is_saved_as_another_one_is_refused(guard):
    labelled = dataclasses.replace(guard, label=300)
    image, byte = (SaveImaged(key, output_dtype="uint8", print_log=False) for key in ("image", "pred"))
    with pytest.raises(InputError, match="label.+uint8.+found 300"):
        labelled.postprocessing(Compose([Identityd("pred"), byte]))
    wide = SaveImaged("pred", output_dtype="int16", print_log=False)
    assert _kinds(labelled.postprocessing(Compose([image, wide]))) == [RejectSlicesd, SaveImaged, SaveImaged]


def test_an_unknown_setting_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean --label"):
        Guard.from_bundle("anywhere", lable=3)
