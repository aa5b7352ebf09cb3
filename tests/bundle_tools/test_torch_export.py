import json

import pytest
import torch
from torch import nn

from monai_advdefense.bundle_tools.torch_export import main, torch_export
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer


def _convolution(channels):
    return {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": channels, "kernel_size": 3, "padding": 1}


@pytest.fixture
def network():
    torch.manual_seed(0)
    parts = [nn.Conv2d(1, channels, 3, padding=1) for channels in (1, 1, 4)]
    return DefendedSegmenter(ReconstructionDetector(parts[0]), Reformer(parts[1]), parts[2]).eval()


@pytest.fixture
def bundle(network, tmp_path):
    definition = {
        "_target_": "monai_advdefense.guard.DefendedSegmenter",
        "detector": {"_target_": "monai_advdefense.guard.ReconstructionDetector", "network": _convolution(1)},
        "reformer": {"_target_": "monai_advdefense.guard.Reformer", "network": _convolution(1)},
        "segmenter": _convolution(4),
    }
    root = tmp_path / "guard"
    for folder in ("configs", "models"):
        (root / folder).mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text(json.dumps({"version": "0.1.0"}))
    config = {"bundle_root": str(root), "device": "cpu", "network_def": definition, "network": "@network_def"}
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), root / "models" / "model.pt")
    return root


@pytest.mark.filterwarnings("ignore")
def test_the_program_decides_and_segments_as_the_network_for_every_batch_and_size(bundle, network, tmp_path):
    images = [torch.rand(*shape) for shape in ((3, 1, 64, 48), (1, 1, 33, 96))]
    with torch.no_grad():
        scores = torch.cat([network.detector.score(image) for image in images]).sort().values
        # Slices on both sides of the threshold.
        network.detector.threshold.fill_(float(scores[1:3].mean()))
        torch.save(network.state_dict(), bundle / "models" / "model.pt")
        program = torch.export.load(torch_export(bundle, tmp_path / "new" / "model.pt2")).module()
        for image in images:
            torch.testing.assert_close(program(image), network(image))
        decided = torch.cat([(program(image).argmax(1) == 4).flatten(1).all(1) for image in images])
    assert decided.sum() == 2


@pytest.mark.parametrize("missing", ["configs/inference.json", "models/model.pt"])
def test_a_missing_file_is_named_and_nothing_is_written(bundle, tmp_path, missing):
    (bundle / missing).unlink()
    with pytest.raises(InputError, match=missing.replace("/", ".")):
        torch_export(bundle, tmp_path / "model.pt2")
    with pytest.raises(SystemExit) as stopped:
        main(["--bundle_root", str(bundle), "--filepath", str(tmp_path / "model.pt2")])
    assert stopped.value.code == 2
    assert not (tmp_path / "model.pt2").exists()
