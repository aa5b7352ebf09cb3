from __future__ import annotations

import argparse

import pytest

from monai_advdefense.commands import options
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
    assert vars(_parsed(options.add_bundle)) == {"bundle": options.DEFENDED_SEGMENTER, "bundle_dir": None}
    assert vars(_parsed(options.add_fail_on_alarm)) == {"fail_on_alarm": False}
