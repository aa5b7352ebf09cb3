from __future__ import annotations

import json

import monai.bundle
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


def test_onnx_gives_the_same_for_every_batch_and_size(bundle, image, tmp_path):
    if bundle.name != "brain_mri_defended_segmentation":
        pytest.skip("its parts are in the composite")
    axes = {0: "batch", 2: "height", 3: "width"}
    path = tmp_path / "model.onnx"
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
    network = monai.bundle.load(
        name=bundle.name, bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu"
    ).eval()
    session = onnxruntime.InferenceSession(path)
    for images in (image, image[:3, :, :48]):
        with torch.no_grad():
            expected = network(images)
        (found,) = session.run(None, {"image": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)
    rejected = (network(image).argmax(1) == 28).flatten(1).all(1)
    assert rejected.sum() == 2
