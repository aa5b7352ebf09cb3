from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    CropForegroundd,
    Flipd,
    Invertd,
    Orientationd,
    Rotated,
    Spacingd,
    SpatialPadd,
    Transform,
)
from scipy.spatial.transform import Rotation

from monai_advdefense.errors import InputError
from monai_advdefense.transforms import InvertLabelsd
from monai_advdefense.transforms.inverse_indices import inverse_indices

# .5, 2 and 3 mm put voxels halfway between two others.
ZOOMS = [0.5, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0]


def preparation(*more: Transform) -> Compose:
    return Compose(
        [
            Orientationd("image", "RAS", labels=None),
            Spacingd("image", (1.0, 1.0, 1.0), mode="bilinear"),
            CropForegroundd("image", "image", allow_smaller=True),
            SpatialPadd("image", (48, -1, 48)),
            *more,
        ]
    )


def scan(case: int, *, oblique: bool = False) -> MetaTensor:
    """A bright box in a volume of any orientation and voxel size."""
    rng = np.random.default_rng(case)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, rng.permutation(3)] * rng.choice([-1, 1], 3) @ np.diag(rng.choice(ZOOMS, 3))
    if oblique:
        rotation = Rotation.from_euler("xyz", rng.uniform(-20, 20, 3), degrees=True)
        affine[:3, :3] = rotation.as_matrix() @ affine[:3, :3]
    affine[:3, 3] = rng.integers(-50, 50, 3) if case % 2 else rng.uniform(-100, 100, 3)
    image = torch.zeros(1, *rng.integers(20, 45, 3))
    image[:, 4:15, 5:-4, 3:-6] = 0.7
    return MetaTensor(image, affine=torch.from_numpy(affine))


def labelled(image: MetaTensor, transform: Compose) -> dict[str, MetaTensor]:
    data = transform({"image": image})
    torch.manual_seed(0)
    data["pred"] = MetaTensor(torch.randint(1, 29, data["image"].shape, dtype=torch.uint8))
    return data


def by_monai(data: dict[str, MetaTensor], transform: Compose) -> MetaTensor:
    inverse = Invertd("pred", transform, orig_keys="image", nearest_interp=True)
    return inverse({**data, "pred": data["pred"].float()})["pred"]


@pytest.mark.parametrize("case", range(24))
def test_labels_and_geometry_are_those_of_invertd(case: int) -> None:
    transform = preparation()
    image = scan(case)
    data = labelled(image, transform)
    assert inverse_indices(data["image"]) is not None
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


def test_some_oblique_volumes_go_either_way() -> None:
    ways = {inverse_indices(preparation()({"image": scan(case, oblique=True)})["image"]) is None for case in range(16)}
    assert ways == {True, False}


@pytest.mark.parametrize("more", [Flipd("image", 0), Rotated("image", (0.3, 0.0, 0.0))], ids=["flip", "rotation"])
def test_what_indices_cannot_undo_is_left_to_invertd(more: Transform) -> None:
    transform = preparation(more)
    data = labelled(scan(3), transform)
    assert inverse_indices(data["image"]) is None
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
