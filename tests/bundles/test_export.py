from __future__ import annotations

import json
import math

import monai.bundle
import onnx
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, onnx_export, verify_net_in_out


@pytest.fixture(scope="module")
def image():
    """Slices of very different brightness, which differ in their scores."""
    scale = torch.tensor([0.001, 0.01, 0.1, 1.0]).reshape(-1, 1, 1, 1)
    return scale * torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def bundle(source, copy_bundle, write_weights, image):
    """A copy of each bundle with random weights; a threshold lies between the scores of the slices."""
    copy = copy_bundle(source.name)
    state = write_weights(copy)
    if source.name in ("brain_mri_detector", "brain_mri_defended_segmentation"):
        state = write_weights(copy, threshold=0.0)
        config = ConfigParser.load_config_file(copy / "configs" / "inference.json")
        network = ConfigParser(config).get_parsed_content("network_def").eval()
        network.load_state_dict(state)
        with torch.no_grad():
            scores = network.score(image)
        write_weights(copy, threshold=float(scores.sort().values[1:3].mean()))
    return copy


def _verify(bundle, *configs):
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=[str(bundle / "configs" / f"{config}.json") for config in configs],
        device="cpu",
        n=2,
    )


def test_network_gives_what_the_metadata_say(bundle):
    _verify(bundle, "inference")


@pytest.mark.parametrize("overlay", ["segnet", "densenet"])
def test_other_segmenters_give_what_the_metadata_say(bundles, overlay):
    _verify(bundles / "brain_mri_segmentation", "inference", overlay)


def test_loaded_from_another_folder_and_exported_the_network_gives_the_same(bundle, image):
    network = monai.bundle.load(
        name=bundle.name, bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu"
    ).eval()
    stored = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert {key: value.shape for key, value in network.state_dict().items()} == {
        key: value.shape for key, value in stored.items()
    }
    assert all(torch.equal(value, stored[key]) for key, value in network.state_dict().items())

    exported = bundle / "models" / "model.ts"
    ckpt_export(
        net_id="network",
        filepath=str(exported),
        ckpt_file=str(bundle / "models" / "model.pt"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=str(bundle / "configs" / "inference.json"),
    )
    extra = {"metadata.json": "", "inference.json": ""}
    scripted = torch.jit.load(exported, _extra_files=extra)
    # What MONAI Deploy reads from the file.
    assert json.loads(extra["metadata.json"])["network_data_format"]["inputs"].keys() == {"image"}
    assert {"inferer", "preprocessing"} <= json.loads(extra["inference.json"]).keys()

    with torch.no_grad():
        torch.testing.assert_close(scripted(image), network(image))
        if bundle.name == "brain_mri_detector":
            assert scripted.accept(image).sum() == 2
        if bundle.name == "brain_mri_defended_segmentation":
            rejected = scripted(image).argmax(1).flatten(1) == 28
            assert rejected.all(1).sum() == 2
            assert rejected.any(1).sum() == 2


@pytest.fixture(scope="module")
def onnx_file(bundle, tmp_path_factory):
    if bundle.name != "brain_mri_defended_segmentation":
        pytest.skip("its parts are in the composite")
    axes = {0: "batch", 2: "height", 3: "width"}
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    onnx_export(
        net_id="network_def",
        filepath=str(path),
        ckpt_file=str(bundle / "models" / "model.pt"),
        config_file=str(bundle / "configs" / "inference.json"),
        input_shape=[2, 1, 96, 96],
        converter_kwargs={
            "input_names": ["image"],
            "output_names": ["pred"],
            "dynamic_axes": {"image": axes, "pred": axes},
        },
    )
    return path


def _onnxruntime(path):
    session = onnxruntime.InferenceSession(path)
    return lambda images: torch.from_numpy(session.run(None, {"image": images.numpy()})[0])


def _openvino(path):
    openvino = pytest.importorskip("openvino")
    # By default it computes in half precision where the processor can.
    model = openvino.Core().compile_model(openvino.convert_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: torch.from_numpy(model(images.numpy())[0])


RUNTIMES = pytest.mark.parametrize("load", [_onnxruntime, _openvino])


@RUNTIMES
def test_onnx_gives_the_same_for_every_batch_and_size(load, bundle, onnx_file, image):
    network = monai.bundle.load(
        name=bundle.name, bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu"
    ).eval()
    run = load(onnx_file)
    for images in (image, image[:3, :, :48]):
        with torch.no_grad():
            expected = network(images)
        torch.testing.assert_close(run(images), expected, atol=1e-4, rtol=1e-4)
    rejected = (network(image).argmax(1) == 28).flatten(1).all(1)
    assert rejected.sum() == 2


@RUNTIMES
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_onnx_loses_nothing_that_is_no_number(value, load, onnx_file, image):
    """Wherever it stands, in a slice that is accepted otherwise and in a blank one."""
    run = load(onnx_file)
    accepted = (run(image).argmax(1) != 28).flatten(1).all(1).nonzero().flatten().tolist()
    assert len(accepted) == 2
    for slices in (image[accepted], torch.zeros(2, 1, 64, 64)):
        for place in ((0, 0), (17, 40), (63, 63)):
            spoilt = slices.clone()
            spoilt[0, 0][place] = value
            rejected = (run(spoilt).argmax(1) == 28).flatten(1).all(1)
            assert rejected.tolist() == [True, False]


def test_onnx_has_no_operator_that_a_runtime_reads_otherwise(onnx_file):
    assert "DFT" not in {node.op_type for node in onnx.load(onnx_file).graph.node}
