from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.losses.class_weights import check_class_weights


@pytest.mark.parametrize("weights", [None, torch.ones(3)])
def test_one_for_each_class_or_none_at_all_is_right(weights):
    check_class_weights(weights, torch.zeros(2, 3, 5))


@pytest.mark.parametrize("shape", [(2,), (5,), (3, 1), ()])
def test_another_shape_is_named(shape):
    with pytest.raises(InputError, match="class_weights: expected one for each of 3 classes, found shape"):
        check_class_weights(torch.ones(shape), torch.zeros(2, 3, 5))
