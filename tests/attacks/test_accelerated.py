from __future__ import annotations

import sys

import pytest
import torch
from monai.networks.nets import BasicUNet, UNet
from torch import nn
from torch.nn.utils import prune

from monai_advdefense.attacks import accelerated, all_background, dag
from monai_advdefense.errors import InputError
from monai_advdefense.networks.pointwise import Pointwise
from monai_advdefense.networks.split_up_cat import SplitUpCat

FEATURES = (4, 4, 8, 8, 8, 4)


def basic_unet(spatial_dims: int = 2) -> nn.Module:
    torch.manual_seed(0)
    network = BasicUNet(spatial_dims, 1, 4, features=FEATURES, norm="batch")
    network(torch.rand(4, 1, *[32] * spatial_dims))  # statistics other than those of the start
    return network


@pytest.mark.parametrize("side", [32, 41])
@pytest.mark.parametrize(
    "network", [basic_unet(), UNet(2, 1, 4, (4, 8, 8), (2, 1), norm="batch", num_res_units=1)], ids=["basic", "unet"]
)
def test_logits_and_gradients_are_those_of_the_network(network, side):
    image = torch.rand(2, 1, side - side % 2 if isinstance(network, UNet) else side, 32, requires_grad=True)
    found = accelerated(network)
    expected = network.eval()(image)
    logits = found(image)
    weights = torch.rand_like(expected)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    gradients = [torch.autograd.grad(each, image, weights)[0] for each in (logits, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_attack_gives_the_labels_of_the_network_in_two_and_three_dimensions():
    for spatial_dims in (2, 3):
        network = basic_unet(spatial_dims).eval()
        image = torch.rand(2, 1, *[32] * spatial_dims)
        label = network(image).argmax(1)
        slow, fast = (
            dag(each, image, label, target=all_background(label), step_size=0.3, steps=4)
            for each in (network, accelerated(network))
        )
        torch.testing.assert_close(slow.image, fast.image, atol=1e-3, rtol=0)
        assert (network(slow.image).argmax(1) == network(fast.image).argmax(1)).float().mean() > 0.999


@pytest.mark.parametrize("options", [{}, {"target_term": True, "ignore_index": 3, "norm": "linf"}])
def test_dag_that_computes_the_box_of_its_pixels_alone_flips_the_same_at_the_same_step(monkeypatch, options):
    network = accelerated(basic_unet()).double()
    image = torch.rand(3, 1, 48, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    network.final_conv.bias -= network(image).mean((0, 2, 3))  # all classes appear
    label = network(image).argmax(1)
    label[..., :13], label[..., 40:], label[:, 30:], label[0, 14:20] = 0, 0, 0, 3
    label[2] = 0  # an image with nothing to flip
    step_size = 0.1 if options else 1.0
    settings = {"step_size": step_size, "steps": 30, "stop": "all_flipped", "stop_share": 0.7, **options}
    found = dag(network, image, label, target=all_background(label), **settings)
    monkeypatch.setattr(sys.modules["monai_advdefense.attacks.dag"], "can_decode_in_box", lambda *_: False)
    expected = dag(network, image, label, target=all_background(label), **settings)
    assert found.iterations.tolist() == expected.iterations.tolist()
    assert found.flipped.tolist() == expected.flipped.tolist()
    assert (found.flipped[:2] >= 0.7).all()
    torch.testing.assert_close(found.image, expected.image, atol=1e-9, rtol=0)


def test_classes_outside_of_the_box_of_the_pixels_are_checked_as_well():
    label = torch.zeros(1, 32, 32, dtype=torch.long)
    label[:, 10:14, 10:14] = 1
    target = all_background(label)
    label[:, 0, 0] = target[:, 0, 0] = 99
    settings = {"step_size": 1.0, "steps": 1}
    with pytest.raises(InputError, match="label: expected classes below 4"):
        dag(accelerated(basic_unet()), torch.rand(1, 1, 32, 32), label, target=target, **settings)
    label[:, 0, 0] = 0
    with pytest.raises(InputError, match="target: expected classes below 4"):
        dag(accelerated(basic_unet()), torch.rand(1, 1, 32, 32), label, target=target, target_term=True, **settings)


def test_the_network_stays_as_it_was_and_its_copy_has_no_normalization():
    network = basic_unet()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = accelerated(network)
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    kinds = [type(module) for module in found.modules()]
    assert nn.BatchNorm2d not in kinds
    assert kinds.count(SplitUpCat) == 4
    inner = "conv_0.conv_1.conv"
    assert network.get_submodule(inner).weight.is_contiguous()
    assert found.get_submodule(inner).weight.is_contiguous(memory_format=torch.channels_last)
    assert sum(issubclass(kind, Pointwise) for kind in kinds) == 1


def test_hooks_and_pruned_weights_are_kept():
    seen = []
    network = basic_unet()
    network.upcat_1.convs.conv_0.conv.register_forward_hook(lambda *_: seen.append("convolution"))
    network.final_conv.register_forward_hook(lambda *_: seen.append("last"))
    accelerated(network)(torch.rand(1, 1, 32, 32))
    assert seen == ["convolution", "last"]
    prune.l1_unstructured(network.upcat_2.convs.conv_1.conv, "weight", amount=0.5)
    pruned = accelerated(network.eval())
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(pruned(image), network(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prepared", [True, False], ids=["set before", "set on the copy"])
@pytest.mark.parametrize("part", ["upcat_1", "final_conv"])
def test_hooks_see_whole_features_during_an_attack(part, prepared):
    seen = []
    network = basic_unet().eval()
    fast = network if prepared else accelerated(network)
    fast.get_submodule(part).register_forward_hook(lambda *passed: seen.append(passed[-1].shape[2:]))
    image, label = torch.rand(1, 1, 48, 64), torch.zeros(1, 48, 64, dtype=torch.long)
    label[:, 8:12, 8:12] = 1
    fast = accelerated(network) if prepared else fast
    dag(fast, image, label, target=all_background(label), step_size=0.1, steps=2, stop="never")
    assert set(seen) == {(48, 64)}


class _Scaled(nn.Module):
    """Reads its convolution beside calling it."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(1, 3, 1)

    def forward(self, image):
        last = self.last
        assert isinstance(last, nn.Conv2d)
        return last(image).view(len(image), last.out_channels, *image.shape[2:]) * last.weight.norm() + last.bias.sum()


def test_networks_may_read_their_convolutions():
    network, image = _Scaled(), torch.rand(2, 1, 8, 8)
    found = accelerated(network)
    assert isinstance(found.last, Pointwise)
    torch.testing.assert_close(found(image), network(image))
    assert found.state_dict().keys() == network.state_dict().keys()
    assert type(network.last) is nn.Conv2d


class _Bottleneck(nn.Module):
    """Makes one vector of channels and pixels by ``view``."""

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 256), nn.Conv2d(4, 2, 3)

    def forward(self, image):
        features = self.first(image)
        return self.last(self.inner(features.view(len(image), 256)).view(features.shape))


def test_networks_may_flatten_their_features():
    network, image = _Bottleneck().eval(), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(accelerated(network)(image), network(image))


def test_what_cannot_be_copied_is_returned_as_it_is():
    scripted = torch.jit.script(nn.Conv2d(1, 2, 1).eval())
    assert accelerated(scripted) is scripted
