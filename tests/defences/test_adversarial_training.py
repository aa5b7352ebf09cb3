from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from monai.engines import SupervisedTrainer
from torch import nn
from torch.utils.data import DataLoader

from monai_advdefense.attacks import fgsm, pgd
from monai_advdefense.defences import AdversarialBatch
from monai_advdefense.errors import InputError

EPSILON = 8 / 255


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    image = 0.1 + 0.8 * torch.rand(4, 3, 6, 6, generator=generator)
    image[..., :2] = 0
    # Augmentation leaves labels as floating point with a channel axis.
    return {"image": image, "label": torch.randint(1, 3, (4, 1, 6, 6), generator=generator).float()}


def test_fgsm_lowers_the_margin_of_a_linear_network_by_epsilon_times_the_1_norm_of_its_weights(batch):
    torch.manual_seed(0)
    network = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        network.weight[0], network.bias[0] = 0, -100  # only two classes take part
    image, label = AdversarialBatch(network, partial(fgsm, epsilon=EPSILON))(batch)

    def margin(pixels):
        logits = network(pixels)
        true = logits.gather(1, label.long())
        return (2 * true - logits[:, 1:].sum(1, keepdim=True))[..., 2:]

    fall = EPSILON * (network.weight[1] - network.weight[2]).abs().sum()
    torch.testing.assert_close(margin(batch["image"]) - margin(image), fall.expand(4, 1, 6, 4), rtol=1e-3, atol=1e-5)
    assert torch.equal(label, batch["label"])


def test_the_attack_stays_in_its_ball_and_in_the_brain_and_leaves_the_network_as_it_was(batch):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)).train()
    before = copy.deepcopy(network.state_dict())
    attack = partial(pgd, radius=EPSILON, steps=5, step_size=2 / 255, norm="linf", generator=torch.default_generator)
    image, _ = AdversarialBatch(network, attack)(batch)
    change = image - batch["image"]
    assert 0 < change.abs().max() <= EPSILON
    assert (change[batch["image"] == 0] == 0).all()
    assert not image.requires_grad
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_a_trained_network_does_without_the_feature_that_the_attack_can_turn():
    """Channel 0 tells the class nine times of ten and cannot be turned; channel 1 always, but by less than epsilon."""
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(1, 3, (64, 1, 8, 8), generator=generator)
    sign = 2.0 * label - 3
    wrong = torch.rand(label.shape, generator=generator) < 0.1
    image = 0.5 + torch.cat([0.3 * torch.where(wrong, -sign, sign), 0.1 * sign], dim=1)
    data = [{"image": x, "label": y} for x, y in zip(image, label, strict=True)]
    attack = partial(fgsm, epsilon=0.15)

    def trained(adversarial):
        torch.manual_seed(0)
        network = nn.Conv2d(2, 3, 1)
        SupervisedTrainer(
            device="cpu",
            max_epochs=20,
            train_data_loader=DataLoader(data, batch_size=16),
            network=network,
            optimizer=torch.optim.Adam(network.parameters(), lr=0.2),
            loss_function=lambda logits, label: nn.functional.cross_entropy(logits, label[:, 0].long()),
            **({"prepare_batch": AdversarialBatch(network, attack)} if adversarial else {}),
        ).run()
        attacked = attack(network, image, label[:, 0], mask=None).image
        slope = (network.weight[2] - network.weight[1]).flatten()
        return slope[1].item(), (network(attacked).argmax(1) == label[:, 0]).double().mean().item()

    (bare_slope, bare), (defended_slope, defended) = trained(False), trained(True)
    assert bare_slope > 1 > defended_slope
    assert defended > bare
    assert defended == pytest.approx(0.9, abs=0.01)


def test_a_batch_without_labels_is_refused(batch):
    with pytest.raises(InputError, match="label"):
        AdversarialBatch(nn.Conv2d(3, 3, 1), partial(fgsm, epsilon=EPSILON))({"image": batch["image"]})


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda label: torch.cat([1 - label, label], dim=1), "one-hot"), (lambda label: label * 1.6, "whole numbers")],
)
def test_labels_that_are_no_class_indices_are_refused(batch, change, message):
    attacked = AdversarialBatch(nn.Conv2d(1, 2, 1), lambda *_, **__: None)
    label = torch.ones_like(batch["label"]).float()
    with pytest.raises(InputError, match=message):
        attacked({**batch, "label": change(label)})
