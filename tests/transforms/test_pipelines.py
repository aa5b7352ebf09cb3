"""The guard's transforms where MONAI users put them."""

from __future__ import annotations

import json
import pickle

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor, PersistentDataset, pickle_hashing
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Flipd,
    Invertd,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    RandShiftIntensityd,
    Spacingd,
)

from monai_advdefense.transforms import DetectAdversarial, DetectAdversariald, Reform, Reformd, RejectSlicesd

SETTINGS = {"slice_dim": 1, "axcodes": "RAS", "slice_size": (40, 40)}
REJECTED = 9
THRESHOLD = 1.0


@pytest.fixture
def files(brain, tmp_path):
    """Two volumes of one size stored as LPS."""
    paths = []
    for number in range(2):
        volume = nib.Nifti1Image(brain[0].numpy() * (number + 1), np.diag([-1.0, -1.0, 1.0, 1.0]))
        paths.append({"image": str(tmp_path / f"{number}.nii")})
        nib.save(volume, paths[-1]["image"])
    return paths


@pytest.fixture
def steps(detector, reformer):
    detector.threshold.fill_(THRESHOLD)
    return [
        LoadImaged("image"),
        EnsureChannelFirstd("image"),
        DetectAdversariald("image", detector, **SETTINGS),
        Reformd("image", reformer, **SETTINGS),
        Orientationd("image", axcodes="RAS", labels=None),
        NormalizeIntensityd("image"),
    ]


@pytest.fixture
def expected(files, steps):
    """What each transform gives on its own."""
    items = []
    for file in files:
        item = dict(file)
        for step in steps:
            item = step(item)
        items.append(item)
    assert 0 < items[0]["accepted_image"].sum() < len(items[0]["accepted_image"])
    return items


def _assert_same(item, wanted):
    assert set(item) == set(wanted)
    for key in ("image", "score_image", "accepted_image"):
        torch.testing.assert_close(torch.as_tensor(item[key]), torch.as_tensor(wanted[key]), check_device=False)


@pytest.mark.parametrize("lazy", [True, None, False])
def test_compose(files, steps, expected, lazy):
    item = Compose(steps, lazy=lazy)(files[0])
    _assert_same(item, expected[0])
    assert torch.equal(item["image"].affine, expected[0]["image"].affine)


def test_lazy_operations_before_the_guard_are_done_before_it(files, steps, detector):
    before = [*steps[:2], Flipd("image", 0), Spacingd("image", pixdim=(1.5, 1.5, 1.5))]
    lazy, eager = (Compose([*before, steps[2]], lazy=lazy)(files[0]) for lazy in (True, False))
    assert len(lazy["accepted_image"]) == lazy["image"].shape[2] == 19
    torch.testing.assert_close(lazy["score_image"], eager["score_image"], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("workers", [0, 2])
def test_cached_data(files, steps, expected, workers):
    dataset = CacheDataset(files, Compose([*steps, RandShiftIntensityd("image", 0.0, prob=1.0)]), num_workers=2)
    for item, wanted in zip(dataset, expected, strict=True):
        _assert_same(item, wanted)


@pytest.mark.parametrize("hash_transform", [None, pickle_hashing])
def test_persistent_data(files, steps, expected, tmp_path, hash_transform):
    """The second time from the disk."""
    for _ in range(2):
        dataset = PersistentDataset(files, Compose(steps), tmp_path / "cache", hash_transform=hash_transform)
        for item, wanted in zip(dataset, expected, strict=True):
            _assert_same(item, wanted)
    assert len(list((tmp_path / "cache").iterdir())) == len(files)


def test_workers(files, steps, expected):
    loader = DataLoader(Dataset(files, Compose(steps)), batch_size=2, num_workers=2, multiprocessing_context="fork")
    (batch,) = loader
    for number, wanted in enumerate(expected):
        _assert_same({key: value[number] for key, value in batch.items()}, wanted)


def test_transforms_travel_to_workers_that_start_anew(files, steps, expected):
    """Where the system cannot fork, they are pickled."""
    _assert_same(pickle.loads(pickle.dumps(Compose(steps)))(files[0]), expected[0])


def test_from_json(files, expected, detector, reformer):
    """All arguments are plain values; the networks come by reference."""
    settings = {"slice_dim": 1, "axcodes": "RAS", "slice_size": [40, 40], "channels": None, "value_range": None}
    package = "monai_advdefense.transforms."
    config = {
        "transforms": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image", "ensure_channel_first": True},
                {"_target_": package + "DetectAdversariald", "keys": "image", "detector": "@detector", **settings},
                {"_target_": package + "Reformd", "keys": "image", "reformer": "@reformer", **settings},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS", "labels": None},
                {"_target_": "NormalizeIntensityd", "keys": "image"},
            ],
        }
    }
    parser = ConfigParser(json.loads(json.dumps(config)) | {"detector": detector, "reformer": reformer})
    _assert_same(parser.get_parsed_content("transforms")(files[0]), expected[0])


def test_rejected_slices_are_marked_behind_invertd(files, steps, expected):
    """In the grid of the file, though the network saw another one."""
    preprocessing = Compose([*steps, Spacingd("image", pixdim=(2.0, 2.0, 2.0))])
    item = preprocessing(files[0])
    item["pred"] = torch.ones_like(item["image"])
    post = [
        Invertd("pred", preprocessing, orig_keys="image"),
        RejectSlicesd("pred", "accepted_image", REJECTED, 1, axcodes="RAS"),
    ]
    pred = Compose(post)(item)["pred"]
    assert isinstance(pred, MetaTensor)
    assert np.array_equal(pred.affine, nib.load(files[0]["image"]).affine)
    # The file's second axis runs from front to back.
    marked = (pred == REJECTED).all(3).all(1)[0].flip(0)
    assert torch.equal(marked.as_tensor(), ~expected[0]["accepted_image"])
    assert torch.equal((pred == REJECTED).any(3).any(1), (pred == REJECTED).all(3).all(1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
@pytest.mark.parametrize("where", ["image", "networks", "both"])
def test_cuda(brain, detector, reformer, where):
    detector.threshold.fill_(THRESHOLD)
    score, accepted = DetectAdversarial(detector, 1)(brain)
    reformed = Reform(reformer, 1)(brain)
    image = brain if where == "networks" else brain.cuda()
    if where != "image":
        detector.cuda()
        reformer.cuda()
    results = (*DetectAdversarial(detector, 1)(image), Reform(reformer, 1)(image))
    assert {each.device for each in results} == {image.device}
    for result, wanted in zip(results, (score, accepted, reformed), strict=True):
        torch.testing.assert_close(result.cpu(), wanted, rtol=1e-3, atol=1e-2)
