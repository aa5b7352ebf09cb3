from __future__ import annotations

import pytest

from experiments.bundles import BUNDLES, bundle_config, spelled_out
from monai_advdefense.errors import InputError

CONFIG = {
    "size": [2, 3],
    "axis": 1,
    "folder": "data",
    "pad": {"_target_": "Pad", "to": "$[*@size[:@axis], -1]", "from": "@size"},
    "load": {"_target_": "Load", "path": "@folder"},
    "all": {"_target_": "Compose", "transforms": ["@load", "@pad", "@part#dataset"]},
}


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


def test_what_a_part_refers_to_stands_in_it():
    assert spelled_out(CONFIG, CONFIG["all"]) == {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Load", "path": "@folder"},
            {"_target_": "Pad", "to": "$[*[2, 3][:1], -1]", "from": [2, 3]},
            "@part#dataset",
        ],
    }


def test_another_value_far_away_makes_another_part_and_a_path_does_not():
    assert spelled_out({**CONFIG, "size": [2, 4]}, CONFIG["all"]) != spelled_out(CONFIG, CONFIG["all"])
    assert spelled_out({**CONFIG, "folder": "elsewhere"}, CONFIG["all"]) == spelled_out(CONFIG, CONFIG["all"])
