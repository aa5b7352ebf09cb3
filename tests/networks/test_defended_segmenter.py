from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from monai_advdefense.networks import DefendedSegmenter, ReconstructionDetector, Reformer

CLASSES = 3


class Zero(nn.Module):
    """As a detector's network on the image: the score is the norm of the image."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class Logarithm(nn.Module):
    """Logits that are not finite where the image is 0 or less."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([torch.log(x), x], dim=1)


def guard(threshold, *, reformer=None, segmenter=None, spatial_dims=2):
    torch.manual_seed(0)
    convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    detector = ReconstructionDetector(Zero(), domain="image")
    detector.threshold.fill_(threshold)
    network = DefendedSegmenter(
        detector,
        Reformer(reformer or convolution(1, 1, 3, padding=1)),
        segmenter or convolution(1, CLASSES, 3, padding=1),
    )
    return network.eval()


def unets(threshold):
    """A guard of networks such as are shipped, on the spectrum."""
    torch.manual_seed(0)
    arguments = {"spatial_dims": 2, "in_channels": 1, "features": (4, 4, 4, 4, 8, 4), "norm": "batch"}
    detector = ReconstructionDetector(BasicUNet(out_channels=1, **arguments))
    detector.threshold.fill_(threshold)
    reformer = Reformer(BasicUNet(out_channels=1, **arguments))
    return DefendedSegmenter(detector, reformer, BasicUNet(out_channels=CLASSES, **arguments)).eval()


def assert_rejected(logits):
    assert torch.equal(logits[:-1], torch.zeros_like(logits[:-1]))
    assert torch.equal(logits[-1], torch.ones_like(logits[-1]))


def mixed_batch():
    """Samples of rising norm; the second is blank."""
    image = torch.rand(4, 1, 6, 8, generator=torch.Generator().manual_seed(3))
    return image * torch.tensor([0.1, 0.0, 1.0, 2.0]).reshape(4, 1, 1, 1)


@pytest.mark.parametrize(("spatial_dims", "sides"), [(2, (6, 8)), (3, (4, 6, 5))])
def test_accepted_samples_are_segmented_after_reforming(spatial_dims, sides):
    network = guard(1e6, spatial_dims=spatial_dims)
    image = torch.rand(3, 1, *sides)
    logits = network(image)
    expected = network.segmenter(network.reformer(image))
    assert logits.shape == (3, CLASSES + 1, *sides)
    assert torch.equal(logits[:, :-1], expected)
    assert torch.equal(logits[:, -1], expected.min(dim=1).values - 1)
    assert torch.equal(logits.argmax(1), expected.argmax(1))


def test_rejected_samples_are_rejected_everywhere():
    for logits in guard(0.5)(torch.rand(3, 1, 6, 8) + 1):
        assert_rejected(logits)


def test_nothing_passes_before_calibration():
    for logits in guard(float("nan"))(mixed_batch()):
        assert_rejected(logits)


def test_blank_samples_are_background():
    logits = guard(1.0)(torch.zeros(2, 1, 6, 8))
    expected = torch.tensor([1.0] + [0.0] * (CLASSES - 1) + [-1.0]).reshape(1, -1, 1, 1).expand_as(logits)
    assert torch.equal(logits, expected)


def test_each_sample_gets_its_own_decision():
    network = guard(1.0)
    image = mixed_batch()
    logits = network(image)
    assert network.detector.accept(image).tolist() == [True, True, False, False]
    torch.testing.assert_close(logits[:1, :-1], network.segmenter(network.reformer(image[:1])))
    assert (logits[1].argmax(0) == 0).all()
    assert_rejected(logits[2])
    assert_rejected(logits[3])
    torch.testing.assert_close(logits, torch.cat([network(sample[None]) for sample in image]))


@pytest.mark.parametrize("part", ["reformer", "segmenter"])
@pytest.mark.parametrize("threshold", [1.0, 1e6])
def test_broken_weights_reject_everything(part, threshold):
    network = guard(threshold)
    with torch.no_grad():
        next(getattr(network, part).parameters()).fill_(float("nan"))
    for logits in network(mixed_batch()):
        assert_rejected(logits)


def test_logits_that_are_not_finite_reject_their_sample_only():
    network = guard(1e6, reformer=nn.Identity(), segmenter=Logarithm())
    image = torch.rand(3, 1, 6, 8) * 0.8 + 0.1
    image[1, 0, 2, 3] = 0.0
    logits = network(image)
    assert_rejected(logits[1])
    assert torch.equal(logits[[0, 2], :-1], Logarithm()(image[[0, 2]]))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_image_that_is_not_finite_is_rejected(value):
    image = mixed_batch()
    image[0, 0, 1, 1] = value
    image[1] = value
    for logits in guard(1e6)(image)[:2]:
        assert_rejected(logits)


def test_gradients_flow_through_reformer_and_segmenter():
    network = guard(1.0)
    image = mixed_batch().requires_grad_()
    weight = torch.rand(4, CLASSES, 6, 8)
    (gradient,) = torch.autograd.grad((network(image)[:, :-1] * weight).sum(), image)
    bare = (network.segmenter(network.reformer(image)) * weight)[:1].sum()
    (expected,) = torch.autograd.grad(bare, image)
    assert expected[0].abs().sum() > 0
    # Rejected and blank samples have constant logits.
    assert torch.equal(gradient, expected)


def test_score_of_the_detector_is_reachable_and_differentiable():
    network = guard(1.0)
    image = (torch.rand(2, 1, 6, 8) + 0.1).requires_grad_()
    score = network.detector.score(image)
    (gradient,) = torch.autograd.grad(score.sum(), image)
    torch.testing.assert_close(gradient, (image / score.reshape(2, 1, 1, 1)).detach())


def test_a_forward_hook_on_the_detector_sees_image_and_residual_once():
    network = unets(1.0)
    image = torch.rand(3, 1, 16, 16)
    calls = []
    network.detector.register_forward_hook(lambda module, inputs, residual: calls.append((module, inputs, residual)))
    with torch.no_grad():
        network(image)
    assert len(calls) == 1
    module, inputs, residual = calls[0]
    assert len(inputs) == 1
    assert torch.equal(inputs[0], image)
    torch.testing.assert_close(module.residual_score(residual), module.score(image))


def test_state_dict_round_trip_keeps_threshold_and_logits():
    first, second = unets(2.5), unets(float("nan"))
    image = torch.rand(2, 1, 16, 16)
    second.load_state_dict(first.state_dict(), strict=True)
    assert second.detector.threshold.item() == 2.5
    assert torch.equal(second(image), first(image))


def spectral_batch():
    """Samples of which a guard at the returned threshold accepts some; the second is blank."""
    image = torch.rand(4, 1, 32, 16, generator=torch.Generator().manual_seed(3))
    image = image * torch.tensor([0.1, 0.0, 0.5, 1.0]).reshape(4, 1, 1, 1)
    with torch.no_grad():
        scores = unets(1.0).detector.score(image[[0, 2, 3]]).sort().values
    return image, (scores[0] + scores[1]).item() / 2


def test_scripted_equals_eager():
    image, threshold = spectral_batch()
    network = unets(threshold)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network), buffer)
    buffer.seek(0)
    logits = network(image)
    assert sorted((logits[:, -1] == 1).flatten(1).all(1).tolist()) == [False, False, True, True]
    torch.testing.assert_close(torch.jit.load(buffer)(image), logits)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_onnx_with_free_batch_height_and_width():
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1))
    reformer = Reformer(nn.Conv2d(1, 1, 3, padding=1))
    network = DefendedSegmenter(detector, reformer, nn.Conv2d(1, CLASSES, 3, padding=1)).eval()
    image = mixed_batch()
    with torch.no_grad():
        scores = detector.score(image)
    detector.threshold.copy_((scores[0] + scores[2]) / 2)
    dynamic = {"image": {axis: torch.export.Dim(name) for axis, name in ((0, "batch"), (2, "h"), (3, "w"))}}
    program = torch.onnx.export(network, (image,), output_names=["pred"], dynamic_shapes=dynamic, dynamo=True)
    buffer = io.BytesIO()
    program.save(buffer)
    session = runtime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    for batch in (image, torch.rand(3, 1, 11, 7)):
        (pred,) = session.run(["pred"], {"image": batch.numpy()})
        np.testing.assert_allclose(pred, network(batch).detach(), atol=1e-5)
