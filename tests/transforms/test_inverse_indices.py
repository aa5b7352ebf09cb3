from __future__ import annotations

import pytest
import torch
from monai.transforms import Flipd, Rotated

from monai_advdefense.transforms.inverse_indices import inverse_indices, take
from tests.transforms.labelled_scan import by_monai, labelled, preparation, scan


@pytest.mark.parametrize("case", range(8))
def test_each_axis_of_the_input_runs_along_one_of_the_preprocessed_volume(case):
    image, transform = scan(case), preparation()
    data = labelled(image, transform)
    found = inverse_indices(data["image"])
    assert sorted(found.order) == [0, 1, 2]
    assert tuple(len(index) for index in found.indices) == image.shape[1:]
    for axis, index in zip(found.order, found.indices, strict=True):
        steps = index[index >= 0].diff()
        assert (steps >= 0).all() or (steps <= 0).all()
        assert index.max() < data["image"].shape[1 + axis]
    torch.testing.assert_close(found.affine, image.affine.double())
    expected = by_monai(data, transform)
    assert torch.equal(take(data["pred"].as_tensor(), found).float(), expected.as_tensor())


def test_some_oblique_volumes_go_either_way():
    ways = {inverse_indices(preparation()({"image": scan(case, oblique=True)})["image"]) is None for case in range(16)}
    assert ways == {True, False}


@pytest.mark.parametrize("more", [Flipd("image", 0), Rotated("image", (0.3, 0.0, 0.0))], ids=["flip", "rotation"])
def test_what_indices_cannot_undo_is_told(more):
    assert inverse_indices(preparation(more)({"image": scan(3)})["image"]) is None


def test_a_plane_is_left_to_a_resampling_in_space():
    assert inverse_indices(scan(1)[..., 0]) is None
