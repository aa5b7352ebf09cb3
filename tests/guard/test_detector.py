from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import ReconstructionDetector
from tests.check_network import check_network


class Zero(nn.Module):
    """Reconstructs nothing, so that the score is the norm of what is reconstructed."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)


def calibrated(network=None, threshold=1.0, **arguments):
    detector = ReconstructionDetector(network or Zero(), **arguments)
    detector.threshold.fill_(threshold)
    return detector


def numpy_spectrum(image, shift, log):
    axes = tuple(range(2, image.ndim))
    magnitude = np.abs(np.fft.fftn(image, axes=axes)) / np.prod(image.shape[2:])
    if shift:
        magnitude = np.fft.fftshift(magnitude, axes=axes)
    return (np.log(magnitude + 1e-7) + 16) / 16 if log else magnitude


@pytest.mark.parametrize("shape", [(3, 1, 8, 7), (2, 2, 5, 6), (2, 1, 4, 3, 5)])
@pytest.mark.parametrize(("domain", "shift", "log"), [("spectrum", 1, 1), ("spectrum", 0, 0), ("image", 1, 1)])
def test_score_equals_numpy(shape, domain, shift, log):
    torch.manual_seed(0)
    convolution = (nn.Conv2d if len(shape) == 4 else nn.Conv3d)(shape[1], shape[1], 1)
    detector = ReconstructionDetector(convolution, domain=domain, shift=bool(shift), log=bool(log)).double()
    image = torch.rand(shape, dtype=torch.float64)

    x = numpy_spectrum(image.numpy(), shift, log) if domain == "spectrum" else image.numpy()
    weight = convolution.weight.detach().numpy().reshape(shape[1], shape[1])
    bias = convolution.bias.detach().numpy().reshape(-1, *[1] * (len(shape) - 2))
    residual = x - (np.einsum("oc,bc...->bo...", weight, x) + bias)
    np.testing.assert_allclose(detector(image).detach(), residual, atol=1e-10)
    expected = [np.sqrt((sample**2).sum()) for sample in residual]
    np.testing.assert_allclose(detector.score(image).detach(), expected)
    np.testing.assert_allclose(detector.residual_score(detector(image)).detach(), expected)


def test_accepts_what_scores_at_or_under_the_threshold():
    image = torch.zeros(4, 1, 2, 2)
    image[:, 0, 0, 0] = torch.tensor([0.5, 1.0, 1.0001, 3.0])
    assert calibrated(domain="image").accept(image).tolist() == [True, True, False, False]


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), float("-inf")])
def test_nothing_is_accepted_without_a_finite_threshold(threshold):
    detector = calibrated(nn.Identity(), threshold)
    image = torch.cat([torch.rand(2, 1, 4, 4), torch.zeros(1, 1, 4, 4)])
    assert torch.equal(detector.score(image), torch.zeros(3))
    assert detector.accept(image).tolist() == [False] * 3


def test_a_new_detector_is_not_calibrated():
    threshold = ReconstructionDetector(nn.Identity()).threshold
    assert threshold.dtype == torch.float32
    assert threshold.shape == ()
    assert threshold.isnan()


@pytest.mark.parametrize("domain", ["spectrum", "image"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("everywhere", [True, False])
def test_an_image_that_is_not_finite_is_rejected(domain, value, everywhere):
    image = torch.zeros(3, 1, 4, 4)
    image[1] = value if everywhere else 0.0
    image[1, 0, 2, 2] = value
    assert calibrated(threshold=1e30, domain=domain).accept(image).tolist() == [True, False, True]


@pytest.mark.parametrize("domain", ["spectrum", "image"])
def test_blank_is_accepted_at_any_score(domain):
    detector = calibrated(nn.Conv2d(1, 1, 1), threshold=0.0, domain=domain)
    image = torch.zeros(3, 1, 4, 4)
    image[1, 0, 0, 0] = 1e-3
    image[2] = -1.0
    assert (detector.score(image) > 0).all()
    assert detector.accept(image).tolist() == [True, False, True]


def test_decides_on_a_score_that_is_there_already():
    image = torch.rand(4, 1, 2, 2)
    score = torch.tensor([0.5, 1.5, float("nan"), float("inf")])
    assert calibrated(nn.Identity()).decide(image, score).tolist() == [True, False, False, False]


def test_gradient_of_the_score_equals_finite_differences():
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1)).double()
    image = torch.rand(2, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(detector.score, (image,))


@pytest.mark.parametrize("domain", ["spectrum", "image"])
def test_is_a_sound_network(domain):
    torch.manual_seed(0)
    check_network(ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), domain=domain), torch.rand(2, 1, 6, 5))


def test_threshold_travels_in_the_state_dict():
    detector = calibrated(threshold=0.75)
    state = copy.deepcopy(detector.state_dict())
    other = ReconstructionDetector(Zero())
    other.load_state_dict(state, strict=True)
    assert other.threshold.item() == 0.75
    del state["threshold"]
    with pytest.raises(RuntimeError, match="threshold"):
        other.load_state_dict(state, strict=True)


def test_threshold_and_decisions_travel_in_torchscript():
    torch.manual_seed(0)
    detector = calibrated(nn.Conv2d(1, 1, 3, padding=1))
    image = torch.rand(8, 1, 6, 6) * torch.linspace(0, 1, 8).reshape(8, 1, 1, 1)
    detector.threshold.copy_(detector.score(image).median().detach())
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(detector), buffer)
    buffer.seek(0)
    loaded = torch.jit.load(buffer)

    accepted = detector.accept(image)
    assert 0 < accepted.sum() < 8
    assert torch.equal(loaded.threshold, detector.threshold)
    assert torch.equal(loaded.accept(image), accepted)
    assert torch.equal(loaded.decide(image, loaded.residual_score(loaded(image))), accepted)
    torch.testing.assert_close(loaded.score(image), detector.score(image))


def test_unknown_domain_is_an_error():
    with pytest.raises(InputError, match="domain"):
        ReconstructionDetector(nn.Identity(), domain="wavelet")


@pytest.mark.parametrize("network", [nn.Conv2d(3, 1, 1), nn.AdaptiveAvgPool2d(1)], ids=["channels", "pixels"])
def test_a_network_of_another_output_is_refused_and_not_broadcast(network):
    with pytest.raises(InputError, match="expected the shape of its input"):
        ReconstructionDetector(network).score(torch.rand(2, 3, 8, 8))
