from __future__ import annotations

import pytest
import torch

from experiments.evaluation.networks import load_guard, load_segmenter, segmenter_config
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import CalibrationError, InputError


def test_without_weights_there_is_no_network(bundles, phantoms):
    assert load_segmenter(bundles, phantoms) is None
    with pytest.raises(InputError, match="expected the weights of the defended segmenter, found none: train it"):
        load_guard(bundles)


def test_networks_have_the_weights_of_their_bundles_and_are_told_apart_by_them(bundles, phantoms, write_weights):
    written = write_weights()
    guard, segmenter = load_guard(bundles), load_segmenter(bundles, phantoms)
    for found, expected in ((guard, written), (segmenter, written.segmenter)):
        assert not found.network.training
        # The threshold of the combined score is NaN.
        torch.testing.assert_close(found.network.state_dict(), expected.state_dict(), rtol=0, atol=0, equal_nan=True)
    path = bundles / "brain_mri_segmentation" / "models" / "model.pt"
    assert segmenter.sha256 == file_sha256(path)
    assert guard.sha256 != segmenter.sha256
    write_weights(seed=1)
    assert load_segmenter(bundles, phantoms).sha256 != segmenter.sha256


def test_a_description_names_parts_and_parameters(bundles, phantoms, write_weights):
    write_weights()
    assert load_guard(bundles).description.count("Conv2d") == 3
    assert "detector Conv2d" in load_guard(bundles).description
    assert load_segmenter(bundles, phantoms).description.endswith("(0.00 M parameters), 30 epochs")


def test_a_guard_without_calibration_is_refused(bundles, write_weights):
    write_weights(threshold=float("nan"))
    with pytest.raises(CalibrationError, match="calibrat"):
        load_guard(bundles)


def test_an_overlay_of_the_guard_names_its_weights(bundles, write_weights):
    folder = bundles / "brain_mri_defended_segmentation"
    write_weights(seed=1)
    (folder / "models" / "adversarial").mkdir()
    (folder / "models" / "model.pt").rename(folder / "models" / "adversarial" / "model.pt")
    write_weights()
    shipped, other = load_guard(bundles), load_guard(bundles, "adversarial")
    assert other.sha256 == file_sha256(folder / "models" / "adversarial" / "model.pt") != shipped.sha256
    assert any((a != b).any() for a, b in zip(other.network.parameters(), shipped.network.parameters(), strict=True))


def test_a_folder_without_bundles_is_named(tmp_path):
    with pytest.raises(InputError, match="check --bundles"):
        segmenter_config(tmp_path, tmp_path)
    with pytest.raises(InputError, match="inference.json"):
        load_guard(tmp_path)


def test_an_overlay_changes_the_network_alone(bundles, phantoms):
    plain, other = segmenter_config(bundles, phantoms), segmenter_config(bundles, phantoms, "segnet")
    assert plain["train#preprocessing"] == other["train#preprocessing"]
    assert plain["ckpt_path"] != other["ckpt_path"]
    assert plain["dataset_dir"] == str(phantoms)
