from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from monai_advdefense.bundle_tools.bundle_folder import (
    config_files_of,
    config_of,
    is_guarded,
    merged_config,
    network_of,
    setting_of,
    weights_of,
)
from monai_advdefense.errors import InputError

OURS = "monai_advdefense"
BUNDLES = Path(__file__).parents[2] / "bundles"


@pytest.fixture
def bundle(tmp_path):
    config = {
        "bundle_root": ".",
        "where": "$@bundle_root + '/models'",
        "network_def": {"_target_": "torch.nn.Dropout", "p": 0.5},
        "wrong": {"_target_": "no.such.Thing"},
    }
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "inference.json").write_text(json.dumps(config))
    return tmp_path


def test_files(bundle):
    assert weights_of(bundle) == bundle / "models" / "model.pt"
    assert config_of(bundle) == bundle / "configs" / "inference.json"
    (bundle / "configs" / "inference.yaml").write_text("")
    assert config_of(bundle).suffix == ".json"
    (bundle / "configs" / "inference.json").unlink()
    assert config_of(str(bundle)).suffix == ".yaml"


def test_configurations_are_files_or_lie_in_the_bundle(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours, inference = bundle / "configs" / "attack.json", bundle / "configs" / "inference.json"
    ours.write_text("{}")
    assert config_files_of(str(bundle), ("inference", "attack.json", "attack")) == [inference, ours, ours]
    (tmp_path / "attack.json").write_text("{}")
    (tmp_path / "inference").mkdir()
    assert config_files_of(bundle, ["inference", "attack.json"]) == [inference, tmp_path / "attack.json"]
    with pytest.raises(
        InputError, match=r"configs/combined\.json: expected a configuration of a bundle, found no such"
    ):
        config_files_of(bundle, ["inference", "combined"])


def test_settings_refer_to_the_folder_of_the_bundle(bundle):
    assert setting_of(bundle, "where") == str(bundle / "models")


def test_a_network_comes_in_evaluation_mode(bundle):
    image = torch.rand(4, 4)
    assert torch.equal(network_of(bundle)(image), image)


@pytest.mark.parametrize("name", ["absent", "wrong"])
def test_settings_that_cannot_be_had(bundle, name):
    with pytest.raises(InputError, match=rf"inference\.json: expected a {name} that can be built"):
        setting_of(bundle, name)


def test_configurations_are_laid_over_each_other_and_one_that_lies_over_nothing_is_told(tmp_path):
    for name, text in (("a", '{"dataset": {"data": 1}}'), ("b", '{"dataset#data": 2}'), ("c", "{")):
        (tmp_path / f"{name}.json").write_text(text)
    first, second, third = (tmp_path / f"{name}.json" for name in "abc")
    assert merged_config([first, second]) == {"dataset": {"data": 2}}
    with pytest.raises(InputError, match=r"b\.json, \S+a\.json: expected a configuration .*, or name the file that it"):
        merged_config([second, first])
    with pytest.raises(InputError, match=r"c\.json: expected a configuration that can be read, found Expecting"):
        merged_config([third])


def test_a_configuration_of_which_later_ones_leave_nothing_is_told(tmp_path):
    for name, text in (
        ("base", '{"dataset": {"data": 1, "n": 2}, "run": []}'),
        ("over", '{"dataset#data": 2}'),
        ("more", '{"+dataset": {"m": 3}}'),
    ):
        (tmp_path / f"{name}.json").write_text(text)
    base, over, more = (tmp_path / f"{name}.json" for name in ("base", "over", "more"))
    assert merged_config([base, over, more])["dataset"] == {"data": 2, "n": 2, "m": 3}
    for files, idle in (([base, over, over], "over"), ([base, over, base], "base"), ([base, more, more, base], "base")):
        with pytest.raises(
            InputError, match=rf"{idle}.json: expected entries that later files leave, found none: name"
        ):
            merged_config(files)


@pytest.mark.parametrize(
    ("config", "guarded"),
    [
        ({"guard": {"_target_": f"{OURS}.bundle_tools.ScreenGuard"}}, True),
        ({"mine": "@all#a", "all": {"a": [{"_target_": f"{OURS}.bundle_tools.Guard.from_bundle"}]}}, True),
        ({"screen": "$@made.eval()", "made": {"_target_": f"{OURS}.guard.Screen"}}, True),
        ({"screen": None, "network_def": {"_target_": f"{OURS}.guard.defended_segmenter.DefendedSegmenter"}}, True),
        ({"guard": {"_target_": "torch.nn.Dropout"}, "screen": True}, False),
        ({"guard": "@screen", "screen": {"_target_": "theirs.Guard", "name": f"{OURS}.bundle_tools.Guard"}}, False),
        ({"guard": {"_target_": f"{OURS}.guard.Reformer"}}, False),
    ],
)
def test_a_guard_is_known_by_what_it_is_not_by_its_name(config, guarded):
    assert is_guarded(config) == guarded


def test_a_guard_is_found_in_what_json_and_yaml_say_together(tmp_path):
    (tmp_path / "base.yaml").write_text("guard: {_target_: theirs.Guard, parts: [1]}")
    (tmp_path / "over.json").write_text(json.dumps({"guard#_target_": f"{OURS}.bundle_tools.ScreenGuard"}))
    (tmp_path / "none.yml").write_text("guard: null\nrun: []")
    base, over, none = (tmp_path / name for name in ("base.yaml", "over.json", "none.yml"))
    assert [is_guarded(merged_config(files)) for files in ([base], [base, over])] == [False, True]
    (tmp_path / "base.yaml").write_text(f"guard: {{_target_: {OURS}.bundle_tools.ScreenGuard}}\nother: 1")
    assert [is_guarded(merged_config(files)) for files in ([base], [base, none])] == [True, False]


@pytest.mark.parametrize("overlay", ["calibrate", "certified", "combined", "spectral"])
def test_the_composite_is_guarded_by_each_of_its_overlays_and_its_parts_are_not(overlay):
    parts = (config_of(BUNDLES / f"brain_mri_{name}") for name in ("detector", "reformer", "segmentation"))
    assert not any(is_guarded(merged_config([part])) for part in parts)
    composite = config_files_of(BUNDLES / "brain_mri_defended_segmentation", ["inference", overlay])
    assert is_guarded(merged_config(composite))
