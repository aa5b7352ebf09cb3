from __future__ import annotations

import pytest
from monai.transforms import Activationsd, AsDiscreted, Compose, Identityd

from monai_advdefense.bundle_tools.independent_channels import channels_are_independent


@pytest.mark.parametrize(
    ("theirs", "independent"),
    [
        ([Activationsd("pred", sigmoid=True)], True),
        ([AsDiscreted("pred", threshold=0.5)], True),
        ([AsDiscreted("pred", threshold=0.0)], True),
        (Compose([Identityd("pred"), Compose([Activationsd("pred", sigmoid=True)])]), True),
        ([Activationsd(["pred", "other"], sigmoid=[False, True])], True),
        ([Activationsd("pred", softmax=True), AsDiscreted("pred", argmax=True)], False),
        ([Identityd("pred")], False),
        ((), False),
    ],
)
def test_transforms_tell_whether_channels_exclude_each_other(theirs, independent):
    assert channels_are_independent(theirs) is independent
