"""Scans on grids of any kind, labels of their preprocessed volumes, and what MONAI's inverse makes of these."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, CropForegroundd, Invertd, Orientationd, Spacingd, SpatialPadd, Transform
from scipy.spatial.transform import Rotation

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
