from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.transforms import DetectAdversarial, KeepSlices, Reform, RejectSlices, SliceDecisions
from monai_advdefense.transforms.guarded_channels import GuardedChannels

ORIENTATIONS = ["".join(codes) for axes in permutations(("LR", "PA", "IS")) for codes in product(*axes)]
ACCEPTED = torch.tensor([False, True, True, False, True])


class FirstHalf(nn.Module):
    """Blackens the first half of a slice, so that mirrored slices give something else."""

    def forward(self, image):
        half = image.clone()
        half[..., : image.shape[-2] // 2, :] = 0
        return half


def _stored(values, orientation, space):
    """The same upright image, stored in an orientation, with its affine in a space."""
    image = Orientation(orientation, labels=None)(MetaTensor(values, affine=torch.eye(4), meta={"space": "RAS"}))
    if space == "LPS":
        image.affine = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0])).to(image.affine) @ image.affine
        image.meta["space"] = space
    return image


def _upright(image):
    return Orientation("RAS", labels=None)(image).as_tensor()


@pytest.fixture
def values():
    return torch.rand(1, 6, 5, 4, generator=torch.Generator().manual_seed(0)) / 2 + 0.25


@pytest.mark.parametrize("space", ["RAS", "LPS"])
@pytest.mark.parametrize("stored", ORIENTATIONS)
def test_the_guard_sees_the_same_slices_however_voxels_are_stored_and_in_whichever_space(values, stored, space):
    image = _stored(values, stored, space)
    assert torch.equal(_upright(image), values)
    detector = ReconstructionDetector(FirstHalf(), domain="image")
    detector.threshold.fill_(1e9)
    options = {"axcodes": "RAS", "value_range": (0, 1)}
    scores, _ = DetectAdversarial(detector, 1, **options)(image)
    torch.testing.assert_close(scores, values[0, :3].square().sum((0, 2)).sqrt())
    reformed = _upright(Reform(FirstHalf(), 1, **options)(image))
    torch.testing.assert_close(reformed, torch.cat([torch.zeros(1, 3, 5, 4), values[:, 3:]], dim=1))
    marked = RejectSlices(9, 1, axcodes="RAS")(image, ACCEPTED)
    assert (_upright(marked) == 9).all(3).all(1)[0].tolist() == (~ACCEPTED).tolist()
    found = SliceDecisions(9, 1)(marked)
    assert marked.movedim(found["slice_axis"] + 1, 0)[found["rejected_slices"]].eq(9).all()
    assert (found["slices"], len(found["rejected_slices"])) == (5, 2)


@pytest.mark.parametrize("space", ["LAS", "scanner", ""])
def test_another_space_is_refused(values, space):
    image = MetaTensor(values, affine=torch.eye(4), meta={"space": space})
    with pytest.raises(InputError, match=f"expected a space of RAS or LPS in its meta data, found '{space}'"):
        RejectSlices(9, 1, axcodes="RAS")(image, ACCEPTED)
    assert RejectSlices(9, 1)(image, ACCEPTED).shape == values.shape


def test_arrays_that_run_backwards_are_taken(values):
    """NumPy's flips are views, which torch does not take."""
    array = values.numpy()
    guarded = GuardedChannels(1, None, None, (0, 1), None, 2)
    kept, expected = (KeepSlices(guarded)(each) for each in (array[:, ::-1, ::-1], array[:, ::-1, ::-1].copy()))
    assert torch.equal(kept.slices, expected.slices)
    assert torch.equal(kept.centers, expected.centers)
    labels = np.ones((1, 6, 5, 4), np.uint8)
    labels[:, :, 0] = 9
    assert SliceDecisions(9, 1, axcodes=None)(labels[:, :, ::-1])["rejected_slices"] == [4]


def test_an_image_that_cannot_be_cut_is_named_by_its_file():
    """A run has many."""
    dot = torch.zeros(1, 10, 10, 10)
    dot[0, 5, 5, 5] = 1.0
    for image, name in ((MetaTensor(dot, meta={"filename_or_obj": "/data/a.nii"}), "/data/a.nii"), (dot, "image")):
        for settings, said in (
            ((None, None), f"^{name}: expected different values"),
            (((2, 3), None), f"^value_range: expected values above 2 in {name}, found 0 to 1"),
            (((-1, 3), (4, 4)), rf"^slice_size: expected at least \(10, 10\), the foreground of {name}, found"),
        ):
            with pytest.raises(InputError, match=said):
                KeepSlices(GuardedChannels(1, None, None, *settings, 2))(image)
