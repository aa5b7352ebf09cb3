import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense.errors import InputError
from monai_advdefense.transforms import MergeLabels, MergeLabelsd

GROUPS = [[0, 99, 100], [45], [44, 7], [65535], []]
SOURCE = np.array([[[0, 7, 44], [45, 99, 65535]]])
MERGED = [[[0, 2, 2], [1, 0, 3]]]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.float32, np.float64])
def test_numpy_labels_are_merged(dtype):
    merged = MergeLabels(GROUPS)(SOURCE.astype(dtype))
    assert isinstance(merged, np.ndarray)
    assert merged.dtype == np.int64
    assert merged.tolist() == MERGED


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_small_integer_types_hold_labels_too(dtype, kind):
    assert MergeLabels(GROUPS)(kind(np.array([0, 7, 45, 100], dtype))).tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint16, torch.float32])
def test_tensor_stays_a_plain_tensor(dtype):
    merged = MergeLabels(GROUPS)(torch.as_tensor(SOURCE).to(dtype))
    assert type(merged) is torch.Tensor
    assert merged.dtype == torch.int64
    assert merged.tolist() == MERGED


def test_meta_tensor_keeps_its_geometry_and_the_source_its_values():
    affine = torch.diag(torch.tensor([-2.0, 1.0, 3.0, 1.0], dtype=torch.float64))
    source = MetaTensor(torch.as_tensor(SOURCE).float(), affine=affine, meta={"name": "scan"})
    merged = MergeLabels(GROUPS)(source)
    assert isinstance(merged, MetaTensor)
    assert merged.dtype == torch.int64
    assert merged.tolist() == MERGED
    assert torch.equal(merged.affine, affine)
    assert merged.meta["name"] == "scan"
    np.testing.assert_array_equal(source.numpy(), SOURCE)


@pytest.mark.parametrize("value", [-1, 65536, 1.5, float("nan"), float("inf")])
def test_values_that_are_no_label_are_refused(value):
    with pytest.raises(InputError, match=f"expected source labels of the classes, found {value:g} in 1 voxels"):
        MergeLabels(GROUPS)(torch.tensor([0, value], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64])
def test_negative_integers_are_refused(dtype):
    with pytest.raises(InputError, match="found -3 in 1 voxels"):
        MergeLabels(GROUPS)(torch.tensor([-3, 7], dtype=dtype))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([45, 98, 7, 98], "98 in 2 voxels"),
        ([1, 2, 3], "1, 2, 3 in 3 voxels"),
        ([65534, 0.5, 45], "0.5, 65534 in 2 voxels"),
        (range(36, 44), "36, 37, 38, 39, 40, ... in 8 voxels"),
    ],
)
@pytest.mark.parametrize("kind", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_labels_that_no_class_names_are_refused_and_listed(values, found, kind):
    """What is not named would otherwise become background without a word."""
    with pytest.raises(InputError) as raised:
        MergeLabels(GROUPS)(kind(list(values)))
    rule = "label: expected source labels of the classes, found "
    assert str(raised.value).startswith(f"{rule}{found}: ")
    assert len(str(raised.value).splitlines()) == 1


def test_the_file_is_named_where_the_metadata_tell_it():
    source = MetaTensor(torch.tensor([0, 8]), meta={"filename_or_obj": "labels/1.nii.gz"})
    with pytest.raises(
        InputError, match=r"labels/1\.nii\.gz: expected source labels of the classes, found 8 in 1 voxels"
    ):
        MergeLabels(GROUPS)(source)


def test_zero_is_background_without_being_named():
    assert MergeLabels([[], [4]])(torch.tensor([0, 4])).tolist() == [0, 1]


@pytest.mark.parametrize("groups", [[[1], [1]], [[1, 1]], [[], [0]], [[-4]], [[65536]]])
def test_duplicate_or_impossible_source_labels_are_refused(groups):
    with pytest.raises(InputError, match="source_labels: expected labels from 0 to 65535, each in one class"):
        MergeLabels(groups)


def test_dictionary_version_merges_its_keys_alone():
    data = {"label": SOURCE, "other": SOURCE}
    result = MergeLabelsd("label", GROUPS)(data)
    assert result["label"].tolist() == MERGED
    assert result["other"] is data["label"] is SOURCE


def test_missing_key_is_an_error_unless_allowed():
    with pytest.raises(KeyError, match="label"):
        MergeLabelsd("label", GROUPS)({"image": SOURCE})
    assert MergeLabelsd("label", GROUPS, allow_missing_keys=True)({"image": SOURCE}) == {"image": SOURCE}
