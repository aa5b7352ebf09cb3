import json

import pytest
import torch
from torch import nn

from monai_advdefense.bundle_tools.assemble import assemble, main
from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer

CONVOLUTION = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 3, "padding": 1}
DETECTOR = {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": CONVOLUTION}
REFORMER = {"_target_": "monai_advdefense.guard.Reformer", "network": CONVOLUTION}
SEGMENTER = {**CONVOLUTION, "out_channels": "@num_classes"}
WHOLE = {
    "_target_": "monai_advdefense.guard.DefendedSegmenter",
    "detector": DETECTOR,
    "reformer": REFORMER,
    "segmenter": SEGMENTER,
}


def _configure(bundle, definition):
    (bundle / "configs").mkdir(parents=True, exist_ok=True)
    config = {"num_classes": 4, "network_def": definition}
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))


@pytest.fixture
def networks():
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    detector.threshold.fill_(2.5)
    return {
        "detector": detector,
        "reformer": Reformer(nn.Conv2d(1, 1, 3, padding=1)),
        "segmenter": nn.Conv2d(1, 4, 3, padding=1),
    }


@pytest.fixture
def bundles(networks, tmp_path):
    """The parts with weights, and the output without."""
    for name, definition in (("detector", DETECTOR), ("reformer", REFORMER), ("segmenter", SEGMENTER)):
        _configure(tmp_path / name, definition)
        (tmp_path / name / "models").mkdir()
        torch.save(networks[name].state_dict(), tmp_path / name / "models" / "model.pt")
    _configure(tmp_path / "output", WHOLE)
    return {name: tmp_path / name for name in ("detector", "reformer", "segmenter", "output")}


def test_the_whole_computes_what_its_parts_compute(bundles, networks):
    path = assemble(**bundles)
    assert path == bundles["output"] / "models" / "model.pt"
    whole = DefendedSegmenter(
        ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1)),
        Reformer(nn.Conv2d(1, 1, 3, padding=1)),
        nn.Conv2d(1, 4, 3, padding=1),
    )
    whole.load_state_dict(torch.load(path, weights_only=True), strict=True)
    assert whole.detector.threshold == 2.5
    assert all(buffer.isnan().all() for buffer in whole.decision.buffers())
    image = torch.rand(2, 1, 8, 8)
    assert torch.equal(whole(image), DefendedSegmenter(**networks)(image))


def test_overlays_go_over_all_four_configurations(bundles, networks, tmp_path):
    """A segmenter of other classes was trained by an override of num_classes."""
    torch.save(nn.Conv2d(1, 7, 3, padding=1).state_dict(), bundles["segmenter"] / "models" / "model.pt")
    with pytest.raises(InputError, match="expected the weights of Conv2d"):
        assemble(**bundles)
    overlay = tmp_path / "seven.json"
    overlay.write_text('{"num_classes": 7}')
    path = assemble(**bundles, overlays=[overlay])
    assert torch.load(path, weights_only=True)["segmenter.bias"].shape == (7,)
    with pytest.raises(InputError, match=r"none\.json: expected the configuration"):
        assemble(**bundles, overlays=[tmp_path / "none.json"])
    with pytest.raises(InputError, match="found no such folder"):
        assemble(**{**bundles, "output": tmp_path / "new"}, overlays=[overlay])


def test_the_combined_score_must_be_calibrated_anew(bundles):
    path = assemble(**bundles)
    state = torch.load(path, weights_only=True)
    numbers = {key: torch.ones_like(value) for key, value in state.items() if key.startswith("combination.")}
    torch.save({**state, **numbers}, path)
    record = path.with_name("model.calibration.json")
    record.write_text("{}")
    assemble(**bundles)
    torch.testing.assert_close(torch.load(path, weights_only=True), state, rtol=0, atol=0, equal_nan=True)
    assert not record.exists()


def test_an_uncalibrated_detector_is_refused_and_older_weights_stay(bundles, networks):
    before = assemble(**bundles).read_bytes()
    networks["detector"].threshold.fill_(float("nan"))
    torch.save(networks["detector"].state_dict(), bundles["detector"] / "models" / "model.pt")
    with pytest.raises(CalibrationError, match="calibrated threshold"):
        assemble(**bundles)
    models = bundles["output"] / "models"
    assert (models / "model.pt").read_bytes() == before
    assert [path.name for path in models.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    ("part", "definition"),
    [
        ("detector", {**DETECTOR, "domain": "image"}),
        ("detector", {**DETECTOR, "shift": False}),
        ("detector", {**DETECTOR, "log": False}),
        ("reformer", CONVOLUTION | {"padding_mode": "reflect"}),
        ("segmenter", {**SEGMENTER, "padding_mode": "circular"}),
    ],
)
def test_a_part_that_fits_but_computes_something_else_is_refused(bundles, part, definition):
    if part == "reformer":
        definition = {**REFORMER, "network": definition}
    _configure(bundles["output"], {**WHOLE, part: definition})
    with pytest.raises(InputError, match=rf"output.+inference.json: expected the {part} of .+{part}"):
        assemble(**bundles)
    assert not (bundles["output"] / "models").exists()


def test_weights_of_another_network_are_refused(bundles, networks):
    torch.save(networks["reformer"].state_dict(), bundles["segmenter"] / "models" / "model.pt")
    with pytest.raises(InputError, match=r"segmenter/models/model\.pt: expected the weights of Conv2d"):
        assemble(**bundles)


@pytest.mark.parametrize("definition", [DETECTOR, {"_target_": "no.such.Network"}, "text"])
def test_an_output_that_is_no_defended_segmenter_is_refused(bundles, definition):
    _configure(bundles["output"], definition)
    with pytest.raises(InputError, match=r"output/configs/inference\.json: expected a network"):
        assemble(**bundles)


@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_configuration_that_cannot_be_read_is_refused(bundles, text):
    (bundles["detector"] / "configs" / "inference.json").write_text(text)
    with pytest.raises(InputError, match=r"detector/configs/inference\.json: expected a network_def"):
        assemble(**bundles)


def test_a_segmenter_of_other_slices_is_refused_with_a_way_out(bundles, networks):
    several = {**SEGMENTER, "in_channels": 3}
    for name, definition in (("segmenter", several), ("output", {**WHOLE, "segmenter": several})):
        _configure(bundles[name], definition)
    torch.save(nn.Conv2d(3, 4, 3, padding=1).state_dict(), bundles["segmenter"] / "models" / "model.pt")
    with pytest.raises(InputError, match=r"segmenter/configs/inference\.json.+new folder as output"):
        assemble(**bundles)


def test_command_line(bundles, capsys):
    arguments = [word for name, path in bundles.items() for word in (f"--{name}", str(path))]
    main(arguments)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"wrote {bundles['output'] / 'models' / 'model.pt'}; now calibrate the sum of its scores")
    (bundles["segmenter"] / "configs" / "inference.json").unlink()
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "segmenter/configs/inference.json: expected the configuration of a bundle" in line
