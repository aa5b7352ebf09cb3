from __future__ import annotations

import pytest
from monai.bundle import ConfigParser

from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.bundle_tools.overrides import check_overrides, command_line_overrides, refuse_unknown_overrides
from monai_advdefense.errors import InputError

CONFIG = {
    "output_dir": "eval",
    "guard": {"_target_": "monai_advdefense.bundle_tools.Guard.from_bundle", "bundle": "x", "label": 255},
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": 3},
    "dataset": {"_target_": "DataLoader", "dataset": "@data"},
    "plain": {"a": {"b": 1}},
    "handlers": [{"_target_": "dict", "c": 1}],
    "network": "$@network_def.to(@device)",
}


@pytest.mark.parametrize(
    "name",
    [
        "output_dir", "guard#label", "dataset#batch_size", "plain#a#b", "plain::a", "handlers#0#c", "network#anything",
        "dataset#_disabled_", "inferer#overlap",
    ],
)  # fmt: skip
def test_what_the_configuration_answers_to_passes(name):
    check_overrides([name], CONFIG)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("outputdir", "did you mean --output_dir"),
        ("inferer#roisize", "did you mean --inferer#roi_size"),
        ("plain#a#zzz", "choose one of b"),
        ("handlers#1#c", "choose one of 0"),
        ("gaurd#label", "did you mean --guard"),
    ],
)
def test_the_nearest_name_is_named(name, nearest):
    with pytest.raises(InputError, match=nearest):
        check_overrides([name], CONFIG)


def test_every_overlay_of_a_bundle_passes_over_its_inference():
    configs = find_bundle("brain_mri_defended_segmentation") / "configs"
    config = ConfigParser.load_config_file(configs / "inference.json")
    check_overrides(["dataset_dir", "output_dir", "slice_size", "network_def#reformer", "ckpt_path", "device"], config)


def test_files_and_ids_of_a_command_line():
    words = ["--config_file", "['a.json', 'b.json']", "--dataset_dir", "d", "--guard#label=3", "--bundle_root", "."]
    assert command_line_overrides(words) == (["a.json", "b.json"], ["dataset_dir", "guard#label"])


# MONAI divides a string that is no file at every comma.
@pytest.mark.parametrize(
    ("folder", "written"),
    [
        ("my configs", "{0}"),
        ("my configs", "{0},{0}"),
        ("a, b", "{0}"),
        ("a, b", "['{0}']"),
        ("a, b", "['{0}', '{0}']"),
    ],
)
def test_the_running_command_is_checked(tmp_path, monkeypatch, folder, written):
    file = tmp_path / folder / "inference.json"
    file.parent.mkdir()
    file.write_text('{"output_dir": "eval"}')
    files = written.format(file)
    words = ["/x/monai/bundle/__main__.py", "run", "--config_file", files, "--outputdir", "x"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(InputError, match="did you mean --output_dir"):
        refuse_unknown_overrides()
    monkeypatch.setattr("sys.argv", [*words[:4], "--output_dir", "x"])
    refuse_unknown_overrides()
    monkeypatch.setattr("sys.argv", ["pytest", "--outputdir"])
    refuse_unknown_overrides()
