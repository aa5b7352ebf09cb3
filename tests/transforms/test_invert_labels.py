from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Flipd, Rotated, Transform

from monai_advdefense.errors import InputError
from monai_advdefense.transforms import InvertLabelsd
from tests.transforms.labelled_scan import by_monai, labelled, preparation, scan


@pytest.mark.parametrize("case", range(24))
def test_labels_and_geometry_are_those_of_invertd(case: int) -> None:
    transform = preparation()
    image = scan(case)
    data = labelled(image, transform)
    expected = by_monai(data, transform)
    found = InvertLabelsd("pred", transform, orig_keys="image")(data)["pred"]
    assert found.dtype == torch.uint8
    assert torch.equal(found.as_tensor().float(), expected.as_tensor())
    torch.testing.assert_close(found.affine, image.affine)
    assert found.applied_operations == []


@pytest.mark.parametrize("case", range(16))
def test_oblique_volumes_have_parallel_axes_unless_rounding_decides(case: int) -> None:
    transform = preparation()
    data = labelled(scan(case, oblique=True), transform)
    expected = by_monai(data, transform)
    found = InvertLabelsd("pred", transform, orig_keys="image")(data)["pred"]
    assert torch.equal(found.as_tensor().float(), expected.as_tensor())


@pytest.mark.parametrize("more", [Flipd("image", 0), Rotated("image", (0.3, 0.0, 0.0))], ids=["flip", "rotation"])
def test_what_indices_cannot_undo_is_left_to_invertd(more: Transform) -> None:
    transform = preparation(more)
    data = labelled(scan(3), transform)
    expected = by_monai(data, transform)
    found = InvertLabelsd("pred", transform, orig_keys="image")(data)["pred"]
    assert found.dtype == torch.uint8
    assert torch.equal(found.as_tensor().float(), expected.as_tensor())


def test_labels_without_metadata_are_brought_back_as_well() -> None:
    for transform in (preparation(), preparation(Flipd("image", 0))):
        data = labelled(scan(5), transform)
        expected = by_monai(data, transform)
        plain = {**data, "pred": data["pred"].as_tensor()}
        found = InvertLabelsd("pred", transform, orig_keys="image")(plain)["pred"]
        assert torch.equal(found.as_tensor().float(), expected.as_tensor())


def test_what_the_metadata_of_the_labels_say_is_kept() -> None:
    for transform in (preparation(), preparation(Flipd("image", 0))):
        data = labelled(scan(5), transform)
        data["pred"] = MetaTensor(data["pred"], meta={"verdict": "clean", "filename_or_obj": "labels"})
        data["image"].meta["filename_or_obj"] = "image"
        found = InvertLabelsd("pred", transform, orig_keys="image")(data)["pred"]
        assert (found.meta["verdict"], found.meta["filename_or_obj"]) == ("clean", "image")


def test_labels_on_another_grid_are_refused() -> None:
    transform = preparation()
    data = labelled(scan(1), transform)
    with pytest.raises(InputError, match="grid of the volume"):
        InvertLabelsd("pred", transform, orig_keys="image")({**data, "pred": data["pred"][:, 1:]})
