from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from monai_advdefense.class_indices import class_indices
from monai_advdefense.errors import InputError


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32, torch.float16, torch.float32])
def test_whole_numbers_of_any_type_are_indices(dtype):
    found = class_indices("label", MetaTensor(torch.tensor([[0, 2], [1, 0]])).to(dtype), num_classes=3)
    assert type(found) is torch.Tensor
    assert found.dtype == torch.int64
    assert found.tolist() == [[0, 2], [1, 0]]


@pytest.mark.parametrize(
    ("values", "num_classes", "message"),
    [
        ([0.0, 1.6], 3, "name: expected whole numbers"),
        ([0.0, float("nan")], None, "name: expected whole numbers"),
        ([0, 3], 3, "name: expected classes 0 to 2, found 0 to 3"),
        ([-1, 0], None, "name: expected classes from 0, found -1 to 0"),
    ],
)
def test_what_is_no_class_is_refused(values, num_classes, message):
    with pytest.raises(InputError, match=message):
        class_indices("name", torch.tensor(values), num_classes)


def test_nothing_is_no_error():
    assert class_indices("label", torch.zeros(0, 4), 2).shape == (0, 4)
