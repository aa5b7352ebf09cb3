from __future__ import annotations

import json

import pytest
import torch
from monai.bundle import ConfigParser

from monai_advdefense.bundle_tools import Guard, load_detector, load_reformer
from monai_advdefense.bundle_tools.find_bundle import BUNDLE_DIR_VARIABLE
from monai_advdefense.errors import CalibrationError, InputError

CONVOLUTION = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
DETECTOR = {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": CONVOLUTION}
REFORMER = {"_target_": "monai_advdefense.guard.Reformer", "network": CONVOLUTION}
WHOLE = {
    "_target_": "monai_advdefense.guard.DefendedSegmenter",
    "detector": DETECTOR,
    "reformer": REFORMER,
    "segmenter": CONVOLUTION,
}


@pytest.fixture
def write(tmp_path):
    """Writes a bundle with random weights, and gives its folder and its network."""

    def write(name, definition, threshold=1.5):
        config = {"network_def": definition, "slice_size": [40, 48], "slice_dim": 0}
        network = ConfigParser(config).get_parsed_content("network_def")
        for key, value in network.state_dict().items():
            if key in ("threshold", "detector.threshold"):
                value.fill_(threshold)
        for folder in ("configs", "models"):
            (tmp_path / name / folder).mkdir(parents=True)
        (tmp_path / name / "configs" / "inference.json").write_text(json.dumps(config))
        torch.save(network.state_dict(), tmp_path / name / "models" / "model.pt")
        return tmp_path / name, network.eval()

    return write


def test_parts_of_a_defended_segmenter(write):
    folder, network = write("whole", WHOLE)
    image = torch.rand(2, 1, 8, 8)
    detector, reformer = load_detector(folder), load_reformer(str(folder))
    assert torch.equal(detector.score(image), network.detector.score(image))
    assert detector.threshold == 1.5
    assert torch.equal(reformer(image), network.reformer(image))
    assert not any(module.training for part in (detector, reformer) for module in part.modules())
    assert not any(each.requires_grad for part in (detector, reformer) for each in part.parameters())


def test_a_configuration_can_name_the_folder(write):
    folder, network = write("whole", WHOLE)
    parser = ConfigParser({"guard": {"_target_": "monai_advdefense.bundle_tools.load_detector", "bundle": str(folder)}})
    image = torch.rand(2, 1, 8, 8)
    assert torch.equal(parser.get_parsed_content("guard").score(image), network.detector.score(image))


def test_bundles_are_found_by_name(write, tmp_path, monkeypatch):
    write("whole", WHOLE)
    monkeypatch.setenv(BUNDLE_DIR_VARIABLE, str(tmp_path))
    assert load_detector("whole").threshold == 1.5
    assert list(Guard.from_bundle("whole").slice_size) == [40, 48]
    with pytest.raises(InputError, match="^half: expected a bundle, .*: unpack its archive"):
        Guard.from_bundle("half")


def test_bundles_of_the_parts(write):
    (first, detector), (second, reformer) = write("detector", DETECTOR), write("reformer", REFORMER)
    guard = Guard.from_bundle(first, second, slice_dim=2, label=9)
    image = torch.rand(2, 1, 8, 8)
    assert torch.equal(guard.detector.score(image), detector.score(image))
    assert torch.equal(guard.reformer(image), reformer(image))
    assert list(guard.slice_size) == [40, 48]
    assert (guard.slice_dim, guard.label) == (2, 9)
    assert Guard.from_bundle(first, second, slice_size=None).slice_size is None
    assert Guard.from_bundle(first, second).slice_dim == 0


def test_a_network_of_another_kind_is_refused(write):
    detector, reformer = write("detector", DETECTOR)[0], write("reformer", REFORMER)[0]
    with pytest.raises(InputError, match=r"reformer/configs/inference\.json: expected a ReconstructionDetector"):
        load_detector(reformer)
    with pytest.raises(InputError, match=r"detector/configs/inference\.json: expected a reformer"):
        Guard.from_bundle(detector)


def test_a_detector_without_a_threshold_is_refused(write):
    with pytest.raises(CalibrationError, match=r"whole/models/model\.pt.+calibrated"):
        load_detector(write("whole", WHOLE, threshold=float("nan"))[0])


def test_missing_files_are_named(write, tmp_path):
    with pytest.raises(
        InputError, match=r"^\S+/nowhere: expected a bundle, .*, found none at \S+/nowhere: unpack its archive"
    ):
        load_detector(tmp_path / "nowhere")
    folder, _ = write("whole", WHOLE)
    (folder / "models" / "model.pt").unlink()
    with pytest.raises(InputError, match=r"whole/models/model\.pt"):
        load_reformer(folder)
