from __future__ import annotations

import pytest

from experiments.bundles import BUNDLES, bundle_config
from monai_advdefense.errors import InputError


def test_the_bundles_of_the_repository_are_there():
    for name in ("segmentation", "detector", "reformer"):
        assert bundle_config(BUNDLES / f"brain_mri_{name}", "train")["network_def"]


def test_overlays_change_the_configuration_in_their_order():
    folder = BUNDLES / "brain_mri_segmentation"
    plain, overlaid = bundle_config(folder, "train"), bundle_config(folder, "train", "segnet")
    assert plain["network_def"] != overlaid["network_def"]
    assert bundle_config(folder, "train", "segnet", "densenet")["network_def"] != overlaid["network_def"]


@pytest.mark.parametrize("names", [("nothing",), ("train", "nothing")])
def test_a_file_that_is_missing_is_named(names):
    with pytest.raises(InputError, match=r"nothing.json: expected the configuration of a bundle"):
        bundle_config(BUNDLES / "brain_mri_segmentation", *names)
