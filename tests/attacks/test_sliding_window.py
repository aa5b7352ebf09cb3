from __future__ import annotations

import pytest
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import UNet

from monai_advdefense.attacks import ThroughWindows, composed_attack


def network():
    torch.manual_seed(0)
    return UNet(3, 1, 3, (4, 8), (2,)).eval().requires_grad_(False)


def windows(mode="gaussian"):
    return SlidingWindowInferer(roi_size=8, sw_batch_size=2, overlap=0.5, mode=mode)


def gradient(function, image):
    leaf = image.clone().requires_grad_()
    weight = torch.rand(1, 3, *image.shape[2:], generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((function(leaf) * weight).sum(), leaf)[0]


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
def test_gradient_is_that_of_the_whole(mode):
    net, image = network(), torch.rand(1, 1, 14, 12, 10)
    whole = gradient(lambda volume: windows(mode)(volume, net), image)
    torch.testing.assert_close(gradient(ThroughWindows(net, windows(mode)), image), whole, atol=1e-5, rtol=0)
    assert whole.abs().max() > 1


def stored(volume, *, through):
    """Bytes that are kept for the gradient, without what has the size of the image or of its logits."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        through(volume)
    return sum(kept.values())


def test_what_is_stored_grows_with_the_logits_and_not_with_the_activations():
    net = network()
    voxels = 32 * 16 * 16
    image = torch.rand(1, 1, 32, 16, 16, requires_grad=True)
    few = stored(image, through=ThroughWindows(net, windows()))
    many = stored(image, through=lambda volume: windows()(volume, net))
    assert few < voxels * 4 * 12  # image, logits, weights and windows
    assert few < many / 4


def test_volume_is_attacked_through_its_windows():
    net = ThroughWindows(network(), windows())
    image = torch.rand(1, 1, 14, 12, 10)
    with torch.no_grad():
        label = net(image).argmax(1)
    found = composed_attack(net, image, label, budget=0.05, n_steps=4)
    lost = ((net(found.image).argmax(1) != label) & (label > 0)).sum() / (label > 0).sum()
    torch.testing.assert_close(found.flipped, lost[None], atol=1e-6, rtol=0)
    assert found.flipped > 0.2
