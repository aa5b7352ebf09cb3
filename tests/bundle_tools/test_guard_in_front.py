from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import (
    Activationsd,
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    NormalizeIntensityd,
    SaveImaged,
)
from torch import nn

from monai_advdefense.bundle_tools import ScreenGuard
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import KeepSlicesd, RejectSlicesd


def _kinds(compose):
    return [type(transform) for transform in compose.transforms]


def test_slices_are_kept_after_what_loads_and_marked_before_what_saves():
    guard = ScreenGuard()
    before = guard.preprocessing([LoadImaged("image"), EnsureChannelFirstd("image"), NormalizeIntensityd("image")])
    assert _kinds(before) == [LoadImaged, EnsureChannelFirstd, KeepSlicesd, NormalizeIntensityd]
    theirs = Compose([AsDiscreted("pred", argmax=True), SaveImaged("pred")])
    after = guard.postprocessing(theirs, network=nn.Identity(), inferer=SimpleInferer())
    assert _kinds(after)[1:] == [AsDiscreted, RejectSlicesd, SaveImaged]
    assert _kinds(theirs) == [AsDiscreted, SaveImaged]


@pytest.mark.parametrize("sigmoid", [True, False])
def test_the_postprocessing_tells_whether_channels_exclude_each_other(sigmoid):
    theirs = Compose([Activationsd("pred", sigmoid=sigmoid)])
    found = ScreenGuard().predict_slices(theirs, network=nn.Identity(), inferer=SimpleInferer())
    assert found.independent is sigmoid


def test_without_a_fit_all_is_marked_and_nothing_called_clean():
    guard = ScreenGuard()
    image = MetaTensor(torch.rand(1, 6, 5, 4), affine=torch.eye(4))
    data = guard.preprocessing([])({"image": image})
    data["pred"] = MetaTensor(torch.zeros(1, 6, 5, 4, dtype=torch.uint8), affine=torch.eye(4))
    # Nothing is predicted a second time.
    found = guard.postprocessing([], network=nn.Identity(), inferer=None)(data)
    assert (found["pred"] == 255).all()
    assert found["screened"].verdict.verdict == "not_checked"
    assert not found["accepted_image"].any()
    assert "advdefense calibrate" in found["screened"].verdict.explanation


def test_a_label_that_cannot_be_written_is_refused():
    guard = ScreenGuard(label=300)
    with pytest.raises(InputError, match="argument `label`: expected a value that fits into uint8"):
        guard.postprocessing([SaveImaged("pred", output_dtype="uint8")], network=nn.Identity(), inferer=None)


def test_a_screen_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "nofile.pt"
    with pytest.raises(InputError, match=f"^{path}: expected a screen for this network, found no such file: fit it"):
        _ = ScreenGuard(screen_path=path).screen
