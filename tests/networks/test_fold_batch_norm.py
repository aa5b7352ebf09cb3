import copy

import pytest
import torch
from monai.networks.blocks import Convolution
from monai.networks.nets import BasicUNet
from torch import nn
from torch.nn.utils import prune

from monai_advdefense.errors import InputError
from monai_advdefense.networks import FCDenseNet, SegNet, fold_batch_norm


def trained(network: nn.Module) -> nn.Module:
    """The network in evaluation mode with statistics as after a training."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats:
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


UNET = {"spatial_dims": 2, "features": (4, 4, 8, 8, 16, 4), "norm": "batch"}
FOLDED = {
    "unet": lambda: BasicUNet(**UNET),
    "unet without bias": lambda: BasicUNet(**UNET, bias=False),
    "unet with dropout": lambda: BasicUNet(**UNET, dropout=0.5),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(1, 4, 2, stride=2), nn.BatchNorm2d(4), nn.ReLU()),
    "not affine": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, affine=False)),
    "channels last": lambda: BasicUNet(**UNET).to(memory_format=torch.channels_last),
}
KEPT = {
    "instance": lambda: BasicUNet(spatial_dims=2, features=(4, 4, 8, 8, 16, 4)),
    "activation first": lambda: Convolution(2, 1, 4, adn_ordering="ADN", norm="batch"),
    "statistics of the batch": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
    "groups transposed": lambda: nn.Sequential(
        nn.ConvTranspose2d(1, 4, 2), nn.ConvTranspose2d(4, 4, 2, groups=2), nn.BatchNorm2d(4)
    ),
    "norm before convolution": lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3)),
    "pruned": lambda: nn.Sequential(prune.l1_unstructured(nn.Conv2d(1, 4, 3), "weight", amount=0.5), nn.BatchNorm2d(4)),
    "densenet": lambda: FCDenseNet(2, 1, 3, down_blocks=(1, 1), bottleneck_layers=1, growth_rate=2),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folded_network_computes_the_same_without_normalization(name: str) -> None:
    network = trained(FOLDED[name]())
    image = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        expected = network(image)
        folded = fold_batch_norm(network)
        found = folded(image)
    assert norms(network) > 0
    assert norms(folded) == 0
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", KEPT)
def test_what_cannot_be_folded_is_kept(name: str) -> None:
    network = trained(KEPT[name]())
    image = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(fold_batch_norm(network)(image), expected, atol=1e-5, rtol=1e-5)


def test_the_network_itself_stays_as_it_is() -> None:
    network = trained(SegNet(2, 1, 3, features=(4, 4, 4, 4, 4)))
    before = copy.deepcopy(network.state_dict())
    folded = fold_batch_norm(network)
    assert list(network.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in folded.parameters())


def test_weights_of_a_folded_network_are_not_taken_for_those_of_the_network() -> None:
    network = trained(BasicUNet(**UNET))
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_state_dict(fold_batch_norm(network).state_dict())


def test_training_mode_is_refused() -> None:
    network = trained(BasicUNet(**UNET))
    network.down_2.train()
    with pytest.raises(InputError, match="evaluation mode"):
        fold_batch_norm(network)
