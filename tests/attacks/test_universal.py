from __future__ import annotations

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from monai_advdefense.attacks import universal
from monai_advdefense.errors import InputError


def case(batch=5):
    torch.manual_seed(0)
    net = UNet(2, 1, 4, (4, 8), (2,)).eval()
    image = torch.rand(batch, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return net, image, net(image).argmax(1)


@pytest.mark.parametrize(("norm", "budget"), [("linf", 0.1), ("l2", 1.0)])
def test_one_perturbation_spoils_all_images_more_than_noise_of_its_size(norm, budget):
    net, image, label = case()
    found = universal(net, image, label, budget=budget, norm=norm, n_steps=10, batch_size=2)
    expected = (image + found.parameters).clamp(0, 1)
    torch.testing.assert_close(found.image, expected, atol=1e-6, rtol=0)
    order = 2 if norm == "l2" else torch.inf
    assert (torch.linalg.vector_norm((found.image - image).flatten(1), ord=order, dim=1) <= budget * (1 + 1e-5)).all()
    noise = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    noise = noise.sign() * budget if norm == "linf" else noise / noise.norm() * budget

    def lost(attacked):
        return float(((net(attacked).argmax(1) != label) & (label > 0)).sum() / (label > 0).sum())

    assert lost(found.image) > lost((image + noise).clamp(0, 1))
    assert float(found.flipped) == pytest.approx(lost(found.image), abs=1e-6)


def test_what_the_network_sees_at_once_does_not_change_the_result():
    net, image, label = case()
    one, all_five = (universal(net, image, label, budget=0.1, n_steps=4, batch_size=n).image for n in (1, 5))
    torch.testing.assert_close(one, all_five, atol=1e-5, rtol=0)


def test_batch_norm_without_running_statistics_does_not_mix_images():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False)).eval()
    image = torch.rand(4, 1, 8, 8)
    image[0] *= 0.1
    label = (image[:, 0] > 0.5).long()
    found = universal(net, image, label, budget=0.05, n_steps=3, batch_size=4)
    predicted = torch.cat([net(one).argmax(1) for one in found.image.split(1)])
    assert float(found.flipped) == pytest.approx(float((predicted != label)[label > 0].double().mean()), abs=1e-6)


def test_several_structures_of_a_sigmoid_and_a_mask():
    torch.manual_seed(0)
    net = UNet(2, 1, 2, (4, 8), (2,)).eval()
    image = torch.rand(3, 1, 12, 12)
    label = (net(image) > 0).long()
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., 3:] = 1
    found = universal(net, image, label, budget=0.1, n_steps=4, activation="sigmoid", mask=mask)
    assert torch.equal(found.image[..., :3], image[..., :3])
    assert float(found.flipped) > 0


def test_what_does_not_fit_is_named():
    image, label = torch.rand(3, 2, 4), torch.zeros(3, 4, dtype=torch.long)
    for change, message in (
        ({"batch_size": 0}, "batch_size: expected at least 1"),
        ({"mask": torch.ones(3, 4)}, r"mask: expected shape \(3, 1, 4\)"),
        ({"label": label.numpy()}, "label: expected a tensor"),
        ({"image": image[:0], "label": label[:0]}, "image: expected one image or more, found an empty batch"),
        ({"logits_of": lambda logits: [logits]}, "network: expected logits as one tensor, found a list"),
        ({"logits_of": lambda logits: logits.sum()}, r"network: expected logits .* shape \(3, 2, 4\), found \(\)"),
    ):
        given = {"image": image, "label": label, "budget": 0.1, **change}
        with pytest.raises(InputError, match=message):
            universal(nn.Identity(), **given)
