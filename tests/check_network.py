"""What holds for every image network."""

from __future__ import annotations

import copy
import io

import torch
from torch import Tensor, nn


def check_network(network: nn.Module, image: Tensor) -> None:
    """Gradients are everywhere, samples are apart, TorchScript and state dict give the same."""
    network.eval()
    _check_gradients(network, image)
    with torch.no_grad():
        output = network(image)
        assert output.isfinite().all()
        single = torch.cat([network(sample[None]) for sample in image])
        torch.testing.assert_close(output, single, rtol=1e-4, atol=1e-5)
        _check_script(network, image, output)
        _check_state_dict(network, image, output)


def _check_gradients(network: nn.Module, image: Tensor) -> None:
    image = image.clone().requires_grad_()
    output = network(image)
    weight = torch.rand(output.shape, generator=torch.Generator().manual_seed(1))
    names, parameters = zip(*network.named_parameters(), strict=True)
    gradients = torch.autograd.grad((output * weight).sum(), [image, *parameters])
    for name, gradient in zip(["image", *names], gradients, strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.abs().sum() > 0, name


def _check_script(network: nn.Module, image: Tensor, output: Tensor) -> None:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(network), buffer)
    buffer.seek(0)
    torch.testing.assert_close(torch.jit.load(buffer)(image), output)


def _check_state_dict(network: nn.Module, image: Tensor, output: Tensor) -> None:
    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    assert not torch.equal(other(image), output)
    other.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(other(image), output)
