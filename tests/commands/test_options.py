from __future__ import annotations

import argparse

import pytest

from monai_advdefense.bundle_tools.bundle_folder import config_files_of
from monai_advdefense.commands import options
from monai_advdefense.commands.main import main
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.errors import InputError


def _parsed(add, *words, **settings):
    parser = argparse.ArgumentParser()
    add(parser, **settings)
    return parser.parse_args(words)


def test_the_input_is_the_argument_data_and_the_verb_is_none():
    parsed = _parsed(options.add_input_and_output, "a", "b", "-o", "c")
    parsed.verb = "screen"
    assert options.arguments_of(parsed) == {"data": ["a", "b"], "output_dir": "c", "device": None}


@pytest.mark.parametrize("name", ["meta", "cuda:99", "abacus"])
def test_a_device_that_cannot_hold_a_tensor_is_named_at_once(name):
    with pytest.raises(InputError, match=f"^--device: expected a device of this machine, found {name} .*such as cpu$"):
        _parsed(options.add_device, "--device", name)


def test_defaults_go_on_where_a_run_was_stopped_with_the_bundle_of_guard_and_segmenter():
    assert vars(_parsed(options.add_device, "--device", "cpu")) == {"device": "cpu"}
    assert vars(_parsed(options.add_resume_and_shard)) == {"resume": True, "shard": None}
    assert vars(_parsed(options.add_resume_and_shard, "--no-resume"))["resume"] is False
    assert vars(_parsed(options.add_bundle)) == {
        "bundle": options.DEFENDED_SEGMENTER,
        "bundle_dir": None,
        "config_files": ("inference",),
    }
    assert vars(_parsed(options.add_fail_on_alarm)) == {"fail_on_alarm": False}


@pytest.mark.parametrize(
    ("words", "last"),
    [
        ("attack {scans} -o {out}", "attack.json"),
        ("calibrate {scans} -o {out}/screen.pt --volume-rate 0.5", "calibrate.json"),
        ("calibrate {scans} -o {out}/screen.pt --network brain_mri_segmentation", "guard_calibrate.json"),
        ("guard brain_mri_segmentation {scans} -o {out}", "guard.json"),
        ("screen {scans} -o {out} --combined", "combined.json"),
        ("screen {scans} -o {out}", "adversarial.json"),
    ],
)
def test_verbs_run_the_configurations_that_are_named(words, last, tmp_path, monkeypatch):
    seen = []

    def run_bundle(folder, configs, _):
        seen.extend(config_files_of(folder, configs))
        (tmp_path / "result.txt").touch()

    monkeypatch.setattr("monai_advdefense.bundle_tools.run_bundle.run_bundle", run_bundle)
    scans = write_phantom_dataset(tmp_path / "scans", 5, shape=(24, 12, 24)) / "images"
    named = ["--config-file", "inference.json", "adversarial.json"]
    assert main([*words.format(scans=scans, out=tmp_path).split(), *named]) == 0
    assert [path.name for path in seen[:2]] == ["inference.json", "adversarial.json"]
    assert seen[-1].name == last
