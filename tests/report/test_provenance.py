from __future__ import annotations

import json

import pytest

from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import InputError
from monai_advdefense.report import bundle_facts
from monai_advdefense.weights import calibrated_rate


def test_bundle_facts_come_from_its_metadata(tmp_path):
    path = tmp_path / "metadata.json"
    output = {"channel_def": {"0": "background", "1": "left thalamus"}}
    path.write_text(
        json.dumps({"name": "guard", "version": "0.2.0", "network_data_format": {"outputs": {"pred": output}}})
    )
    facts = bundle_facts(path)
    assert facts.model == "guard 0.2.0"
    assert facts.class_names == {0: "background", 1: "left thalamus"}


@pytest.mark.parametrize("text", [None, "{", "[]", '{"network_data_format": {"outputs": {"pred": [1]}}}'])
def test_unusable_metadata_is_an_input_error_that_names_the_file(tmp_path, text):
    path = tmp_path / "metadata.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="metadata.json: expected .* check the path"):
        bundle_facts(path)


def test_sha256_of_a_known_text(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(InputError, match="missing.pt: expected a readable file"):
        file_sha256(tmp_path / "missing.pt")


def test_rate_is_that_of_the_threshold_in_use(tmp_path):
    weights, record = tmp_path / "model.pt", tmp_path / "model.calibration.json"
    assert calibrated_rate(weights, 1.5) is None
    record.write_text(json.dumps({"false_positive_rate": 0.01, "threshold": 1.5}))
    assert calibrated_rate(weights, 1.5) == 0.01
    # The threshold of the other score, or one set by hand.
    assert calibrated_rate(weights, 1.25) is None
    assert calibrated_rate(weights, float("nan")) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"threshold": 1.5}'])
def test_broken_record_is_an_input_error_that_names_the_file(tmp_path, text):
    (tmp_path / "model.calibration.json").write_text(text)
    with pytest.raises(InputError, match="model.calibration.json: expected the record of a calibration"):
        calibrated_rate(tmp_path / "model.pt", 1.5)
