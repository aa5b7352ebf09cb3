from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from monai.utils import SpaceKeys

from monai_advdefense.errors import InputError
from monai_advdefense.ras_affine import ras_affine

AFFINE = torch.tensor([[0.0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3, 11], [0, 0, 0, 1]], dtype=torch.float64)


@pytest.mark.parametrize("space", [None, "RAS", SpaceKeys.RAS])
def test_ras_is_left_as_it_is_and_stands_where_nothing_is_said(space):
    image = MetaTensor(torch.zeros(1, 2, 2, 2), affine=AFFINE, meta={} if space is None else {"space": space})
    assert torch.equal(ras_affine(image), AFFINE)
    assert type(ras_affine(image)) is torch.Tensor


@pytest.mark.parametrize("space", ["LPS", SpaceKeys.LPS])
def test_a_voxel_lies_at_one_place_in_both_worlds(space):
    lps = MetaTensor(torch.rand(1, 2, 3, 4), affine=np.diag([-1.0, -1, 1, 1]) @ AFFINE.numpy(), meta={"space": space})
    assert torch.equal(ras_affine(lps), AFFINE)
    assert torch.equal(ras_affine(lps, np.diag([-1.0, -1, 1, 1])), torch.eye(4, dtype=torch.float64))
    turned = Orientation("RAS", labels=None)(lps)
    assert ras_affine(turned).diagonal()[:3].tolist() == [2, 1, 3]


def test_another_world_is_refused():
    image = MetaTensor(torch.zeros(1, 2, 2, 2), meta={"space": "scanner"})
    with pytest.raises(InputError, match="image: expected a space of RAS or LPS in its meta data, found 'scanner'"):
        ras_affine(image)
