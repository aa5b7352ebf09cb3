from __future__ import annotations

import json
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from monai_advdefense import transforms
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import SliceDecisions, SliceDecisionsd

REJECTED = 4
ROWS = [1, 3]
ORIENTATIONS = ["".join(codes) for axes in permutations(("LR", "PA", "IS")) for codes in product(*axes)]


@pytest.fixture
def labels():
    """An upright segmentation of which two coronal slices are rejected; all axes differ in length."""
    values = torch.randint(REJECTED, (1, 4, 5, 6), generator=torch.Generator().manual_seed(0)).float()
    values[:, :, ROWS] = REJECTED
    return MetaTensor(values, affine=torch.eye(4))


def _oblique(degrees):
    first, second = np.radians(degrees)
    return torch.tensor(
        np.array([[1, 0, 0], [0, np.cos(first), -np.sin(first)], [0, np.sin(first), np.cos(first)]])
        @ np.array([[np.cos(second), -np.sin(second), 0], [np.sin(second), np.cos(second), 0], [0, 0, 1]])
        @ np.diag([1.0, 1.2, 2.0])
    )


@pytest.mark.parametrize("degrees", [(0, 0), (30, -20), (-40, 15)])
@pytest.mark.parametrize("stored", ORIENTATIONS)
def test_rejected_slices_are_counted_along_the_coronal_axis_however_voxels_are_stored(labels, stored, degrees):
    labels.affine[:3, :3] = _oblique(degrees)
    turned = Orientation(stored, labels=None)(labels)
    assert "".join(nib.aff2axcodes(turned.affine.numpy())) == stored
    axis = next(axis for axis, code in enumerate(stored) if code in "AP")
    rows = ROWS if stored[axis] == "A" else [4 - row for row in reversed(ROWS)]
    assert SliceDecisions(REJECTED, 1)(turned) == {"slice_axis": axis, "slices": 5, "rejected_slices": rows}


@pytest.mark.parametrize(("slice_dim", "slices"), [(0, 4), (2, 6)])
def test_other_axes_count_their_own_slices(labels, slice_dim, slices):
    found = SliceDecisions(REJECTED, slice_dim)(Orientation("SPL", labels=None)(labels))
    assert (found["slice_axis"], found["slices"]) == (2 - slice_dim, slices)
    assert found["rejected_slices"] == list(range(slices))


def test_without_an_orientation_the_axes_are_taken_as_they_are(labels):
    turned = Orientation("SPL", labels=None)(labels).as_tensor()
    found = SliceDecisions(REJECTED, 1, axcodes=None)(turned.numpy())
    assert found == {"slice_axis": 1, "slices": 5, "rejected_slices": [1, 3]}


def test_the_dictionary_transform_adds_what_becomes_json_and_leaves_the_rest(labels):
    data = {"seg": labels, "other": 1}
    result = SliceDecisionsd("seg", REJECTED, 1, result_key="answer")(data)
    assert result["answer"] == {"guard": SliceDecisions(REJECTED, 1)(labels)}
    assert json.loads(json.dumps(result["answer"])) == result["answer"]
    assert result["seg"] is labels
    assert data.keys() == {"seg", "other"}
    assert SliceDecisionsd("absent", REJECTED, 1, allow_missing_keys=True)(data) == data
    with pytest.raises(KeyError, match="absent"):
        SliceDecisionsd("absent", REJECTED, 1)(data)


def test_the_verdict_that_the_inferer_left_comes_first(labels):
    found = SliceDecisions(REJECTED, 1)(labels)
    labels.meta["verdict"] = json.dumps({"verdict": "review", "p_value": None})
    told = SliceDecisions(REJECTED, 1)(labels)
    assert told == {"verdict": "review", "p_value": None, **found}
    assert next(iter(told)) == "verdict"


def test_a_segmentation_without_affine_or_axis_is_refused(labels):
    with pytest.raises(InputError, match="axcodes: expected an image with an affine"):
        SliceDecisions(REJECTED, 1)(labels.as_tensor())
    with pytest.raises(InputError, match="slice_dim: expected 0 to 2"):
        SliceDecisions(REJECTED, 3)(labels)


def test_all_names_of_the_dictionary_transform_are_the_same():
    assert transforms.SliceDecisionsD is transforms.SliceDecisionsDict is transforms.SliceDecisionsd
