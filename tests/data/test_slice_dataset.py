import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense.data.slice_dataset import SliceDataset
from monai_advdefense.errors import InputError

FILLED = [[1, 2, 4], [0, 3]]
SIZES = {"slice_size": (5, 5), "slice_dim": 1}


def _cases(slice_dim, kind=torch.as_tensor):
    """Two volumes whose filled slices are known; blank ones hold zeros and negative values."""
    cases = []
    for number, filled in enumerate(FILLED):
        random = np.random.default_rng(number)
        image = -random.random((1, 5, 5, 5)).astype(np.float32).round()
        for position in filled:
            np.moveaxis(image, slice_dim + 1, 0)[position] = random.random((1, 5, 5)) + 0.1
        label = random.integers(0, 3, image.shape)
        cases.append({"image": kind(image), "label": kind(label), "subject": f"P{number}", "domain": "a", "age": 30})
    return cases


def _backwards(array):
    """The same values, in a view that torch does not take."""
    return np.flip(np.flip(array).copy())


def _same(volume):
    return volume


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
@pytest.mark.parametrize("kind", [np.asarray, _backwards, torch.as_tensor, MetaTensor])
def test_slices_are_those_of_the_volumes_without_blank_ones(slice_dim, kind):
    cases = _cases(slice_dim, kind)
    dataset = SliceDataset(cases, _same, slice_size=(5, 5), slice_dim=slice_dim)
    assert [(item["volume"], item["slice"]) for item in dataset] == [(v, s) for v in (0, 1) for s in FILLED[v]]
    for item in dataset:
        case = cases[item["volume"]]
        assert set(item) == {"image", "label", "subject", "domain", "volume", "slice"}
        assert item["subject"] == case["subject"]
        for key in ("image", "label"):
            assert type(item[key]) is torch.Tensor
            expected = np.take(np.asarray(case[key]), item["slice"], axis=slice_dim + 1)
            np.testing.assert_array_equal(item[key].numpy(), expected)


@pytest.mark.parametrize(("every", "kept"), [(1, FILLED), (2, [[1, 4], [0]]), (9, [[1], [0]])])
def test_every_counts_the_filled_slices_of_each_volume(every, kept):
    dataset = SliceDataset(_cases(1), _same, **SIZES, every=every)
    assert [(item["volume"], item["slice"]) for item in dataset] == [(v, s) for v in (0, 1) for s in kept[v]]


def test_entries_that_a_case_lacks_are_left_out():
    cases = [{"image": case["image"], "age": 1} for case in _cases(1)]
    assert set(SliceDataset(cases, _same, **SIZES)[0]) == {"image", "volume", "slice"}
    assert set(SliceDataset(cases, _same, **SIZES, shared_keys=("age",))[0]) == {"image", "age", "volume", "slice"}


def test_volumes_are_transformed_once_and_slices_at_each_fetch():
    loaded, fetched = [], []

    def load(case):
        loaded.append(case["subject"])
        return {**case, "image": 2 * case["image"]}

    def augment(item):
        fetched.append(item["slice"])
        return {**item, "image": item["image"] + len(fetched)}

    cases = _cases(1)
    dataset = SliceDataset(cases, load, **SIZES, transform=augment)
    once, twice = dataset[1]["image"], dataset[1]["image"]
    assert loaded == ["P0", "P1"]
    assert fetched == [2, 2]
    torch.testing.assert_close(once, 2 * cases[0]["image"][:, :, 2] + 1)
    torch.testing.assert_close(twice, once + 1)


@pytest.mark.parametrize("every", [1, 2])
def test_class_counts_equal_numpy(every):
    dataset = SliceDataset(_cases(1), _same, **SIZES, every=every)
    labels = np.concatenate([item["label"].numpy().ravel() for item in dataset])
    assert dataset.class_counts(4) == np.bincount(labels, minlength=4).tolist()
    assert dataset.class_counts(4)[3] == 0


def _stopped(function, *arguments, **options):
    """What a call says that is refused."""
    with pytest.raises(InputError) as error:
        function(*arguments, **options)
    return str(error.value)


def test_class_counts_refuse_too_few_classes():
    dataset = SliceDataset(_cases(1), _same, **SIZES)
    assert "expected labels below 2 in label, found 2" in _stopped(dataset.class_counts, 2)


@pytest.mark.parametrize("every", [0, -1])
def test_every_below_one_is_refused(every):
    assert "every: expected 1 or more" in _stopped(SliceDataset, _cases(1), _same, **SIZES, every=every)


@pytest.mark.parametrize("data", [[], [{"image": torch.zeros(1, 2, 2, 2)}]])
def test_no_slice_left_is_refused(data):
    assert "at least one slice" in _stopped(SliceDataset, data, _same, slice_size=(2, 2), slice_dim=1)


def test_a_file_that_is_no_volume_is_named(tmp_path):
    (tmp_path / "a.nii").write_text("no volume")
    line = _stopped(SliceDataset, [{"image": str(tmp_path / "a.nii")}], _same, **SIZES)
    assert line.startswith(f"{tmp_path / 'a.nii'}: expected ")


def test_a_brain_that_the_padding_does_not_cover_is_refused_with_the_size_that_would():
    """Slices of two sizes cannot be put into one batch."""
    cases = [{"image": torch.ones(1, 96, 3, 96)}, {"image": torch.ones(1, 120, 3, 96)}]
    line = _stopped(SliceDataset, cases, _same, slice_size=(96, 96), slice_dim=1)
    assert "of at most 96 x 96 voxels in the plane of the slices, found 120 x 96 voxels: " in line
    assert line.endswith("or pad to (128, 96): set slice_size")


def test_the_image_may_have_any_name():
    dataset = SliceDataset([{"t1": torch.ones(1, 2, 3, 2)}], dict, slice_size=(2, 2), slice_dim=1, keys=("t1",))
    assert len(dataset) == 3
    assert dataset[0]["t1"].shape == (1, 2, 2)
