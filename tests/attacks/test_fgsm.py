from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.attacks.fgsm import fgsm
from monai_advdefense.errors import InputError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def smooth_network(spatial_dims: int = 2) -> nn.Module:
    torch.manual_seed(0)
    convolution = CONVOLUTIONS[spatial_dims]
    return nn.Sequential(convolution(1, 6, 3, padding=1), nn.Tanh(), convolution(6, 4, 3, padding=1)).double()


def sample(*spatial: int, batch: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((batch, 1, *spatial), generator=generator, dtype=torch.float64)
    return image, torch.randint(4, (batch, *spatial), generator=generator)


def sign_of_gradient(network: nn.Module, image: Tensor, label: Tensor, targeted: Tensor) -> Tensor:
    """Sign of the gradient of minus the sum of log-probabilities, with one-hot labels."""
    leaf = image.clone().requires_grad_()
    probability = network(leaf).softmax(1)
    one_hot = nn.functional.one_hot(label, 4).movedim(-1, 1)
    (-(probability.log() * one_hot).sum(1) * targeted).sum().backward()
    return leaf.grad.sign()


@pytest.mark.parametrize("spatial", [(9,), (6, 5), (4, 3, 5)])
@pytest.mark.parametrize("include_background", [False, True])
def test_image_plus_epsilon_times_the_sign_of_the_gradient(spatial, include_background):
    network = smooth_network(len(spatial))
    image, label = sample(*spatial)
    direction = sign_of_gradient(network, image, label, (label != 0) | include_background)
    settings = {"epsilon": 0.03, "include_background": include_background}
    free = fgsm(network, image, label, bounds=None, **settings).image
    torch.testing.assert_close(free, image + 0.03 * direction, rtol=1e-13, atol=0)
    assert (free != image).double().mean() > 0.5
    kept = fgsm(network, image, label, **settings).image
    torch.testing.assert_close(kept, (image + 0.03 * direction).clamp(0, 1), rtol=1e-13, atol=0)


def test_only_the_mask_changes_and_only_its_pixels_are_targeted():
    network = smooth_network()
    image, label = sample(6, 5)
    mask = torch.rand(3, 1, 6, 5, generator=torch.Generator().manual_seed(1)) > 0.5
    direction = sign_of_gradient(network, image, label, (label != 0) & mask[:, 0])
    found = fgsm(network, image, label, epsilon=0.03, mask=mask, bounds=None).image
    assert torch.equal(found[~mask], image[~mask])
    torch.testing.assert_close(found, image + 0.03 * direction * mask, rtol=1e-13, atol=0)


def test_epsilon_is_per_sample_and_zero_is_the_identity():
    image, label = sample(6, 5)
    epsilon = torch.tensor([0.0, 0.02, 0.05])
    found = fgsm(smooth_network(), image, label, epsilon=epsilon, bounds=None)
    assert torch.equal(found.image[0], image[0])
    largest = (found.image - image).abs().flatten(1).amax(1)
    torch.testing.assert_close(largest, epsilon.double())
    assert found.iterations.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"epsilon": -0.1}, "epsilon"),
        ({"epsilon": torch.ones(2)}, "epsilon"),
        ({"image": torch.ones(3, 6, 5)}, "label"),
        ({"image": torch.ones(3, 1, 6, 5, dtype=torch.uint8)}, "image"),
        ({"bounds": (0.0, 0.1)}, "image"),
        ({"mask": torch.ones(3, 6, 5)}, "mask"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    image, label = sample(6, 5)
    given = {"network": smooth_network(), "image": image, "label": label, "epsilon": 0.1, **changes}
    with pytest.raises(InputError, match=f"{name}"):
        fgsm(**given)
