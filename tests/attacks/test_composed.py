from __future__ import annotations

import copy
import warnings

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from monai_advdefense.attacks import NoEffectWarning, composed_attack, measured_quality, standard_attacks
from monai_advdefense.attacks.balls import bias_field, l2
from monai_advdefense.attacks.steps import l2_step
from monai_advdefense.errors import InputError

ATTACKS = {
    f"{norm}-{name}": (norm, attack)
    for norm in ("linf", "l2")
    for name, attack in standard_attacks(norm=norm, n_steps=5).items()
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(channels=4, spatial_dims=2, in_channels=1):
    torch.manual_seed(0)
    return UNet(spatial_dims, in_channels, channels, (4, 8), (2,)).eval()


def case(net, batch=3, spatial=(12, 12), channels=1):
    image = torch.rand(batch, channels, *spatial, generator=seeded())
    with torch.no_grad():
        return image, net(image).argmax(1)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_batch_of_three_equals_three_of_one_within_ball_and_bounds(name):
    norm, attack = ATTACKS[name]
    net = network()
    image, label = case(net)
    budget = 0.05 if norm == "linf" else 0.8
    found = attack(net, image, label, budget=budget)
    change = (found.image - image).flatten(1)
    assert (torch.linalg.vector_norm(change, ord=2 if norm == "l2" else torch.inf, dim=1) <= budget).all()
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    after = net(found.image).argmax(1)
    lost = ((after != label) & (label > 0)).flatten(1).sum(1) / (label > 0).flatten(1).sum(1)
    torch.testing.assert_close(found.flipped, lost, atol=1e-6, rtol=0)
    assert found.flipped.max() > 0
    for sample in range(3):
        alone = attack(net, image[sample : sample + 1], label[sample : sample + 1], budget=budget)
        torch.testing.assert_close(alone.image, found.image[sample : sample + 1], atol=1e-5, rtol=0)


def test_one_step_of_signs_is_fgsm():
    from monai_advdefense.attacks import fgsm

    net = network()
    image, label = case(net)
    found = composed_attack(net, image, label, budget=0.05, n_steps=1)
    expected = fgsm(net, image, label, epsilon=0.05)
    gained = expected.flipped > 0
    torch.testing.assert_close(found.image[gained], expected.image[gained], atol=1e-6, rtol=0)


def test_random_starts_draw_sample_by_sample_and_never_make_it_weaker():
    net = network()
    image, label = case(net)
    plain = composed_attack(net, image, label, budget=0.02, n_steps=3)
    options = {"budget": 0.02, "n_steps": 3, "restarts": 2}
    found = composed_attack(net, image, label, generator=seeded(1), **options)
    assert (found.flipped >= plain.flipped).all()
    generator = seeded(1)
    in_turn = [
        composed_attack(net, image[i : i + 1], label[i : i + 1], generator=generator, **options).image for i in range(3)
    ]
    torch.testing.assert_close(found.image, torch.cat(in_turn), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="generator: expected a torch.Generator"):
        composed_attack(net, image, label, budget=0.02, restarts=1)


def test_sigmoid_of_one_channel_is_a_softmax_of_two():
    net = network(1)
    image = torch.rand(3, 1, 12, 12, generator=seeded())
    label = (net(image) > 0).long()[:, 0]

    class TwoClasses(nn.Module):
        def forward(self, x):
            logits = net(x)
            return torch.cat([torch.zeros_like(logits), logits], 1)

    one = composed_attack(net, image, label, budget=0.05, activation="sigmoid")
    two = composed_attack(TwoClasses(), image, label, budget=0.05)
    torch.testing.assert_close(one.image, two.image, atol=1e-6, rtol=0)
    torch.testing.assert_close(one.flipped, two.flipped)
    assert one.flipped.max() > 0
    with_axis = composed_attack(net, image, label[:, None], budget=0.05, activation="sigmoid")
    assert torch.equal(one.image, with_axis.image)


def test_sigmoid_of_several_structures_that_overlap():
    net = network(3, 3, 2)
    image = torch.rand(2, 2, 8, 8, 8, generator=seeded())
    label = (net(image) > 0).long()
    found = composed_attack(net, image, label, budget=0.05, activation="sigmoid")
    after = (net(found.image) > 0).long()
    lost = ((after == 0) & (label == 1)).flatten(1).sum(1) / label.flatten(1).sum(1)
    torch.testing.assert_close(found.flipped, lost, atol=1e-5, rtol=0)
    assert (found.flipped > 0.1).all()
    dice = measured_quality(net, found.image, label, activation="sigmoid")
    by_structure = 2 * (after * label).flatten(2).sum(2) / (after + label).flatten(2).sum(2)
    torch.testing.assert_close(dice, by_structure.double().mean(1))


@pytest.mark.parametrize("ignore_index", [255, -1])
def test_ignored_pixels_neither_count_nor_steer(ignore_index):
    net = network()
    image, label = case(net)
    ignoring = label.clone()
    ignoring[:, :6] = ignore_index
    options = {"budget": 0.05, "objective": standard_attacks()["apgd_dice"].keywords["objective"]}
    found = composed_attack(net, image, ignoring, ignore_index=ignore_index, **options)
    after = net(found.image).argmax(1)
    counted = (ignoring != ignore_index) & (label > 0)
    lost = ((after != label) & counted).flatten(1).sum(1) / counted.flatten(1).sum(1)
    torch.testing.assert_close(found.flipped, lost, atol=1e-6, rtol=0)
    leaf = image.clone().requires_grad_()

    class Cut(nn.Module):
        """What is ignored cannot matter: its logits are noise."""

        def forward(self, x):
            logits = net(x)
            return torch.cat([100 * torch.sin(1e3 * logits[:, :, :6]), logits[:, :, 6:]], 2)

    same = composed_attack(Cut(), image, ignoring, ignore_index=ignore_index, **options)
    assert torch.equal(found.image, same.image)
    assert leaf.grad is None


def test_logits_are_picked_from_what_the_network_returns():
    net = network()
    image, label = case(net)

    class Deep(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.net, self.wrap = net, wrap

        def forward(self, x):
            return self.wrap(self.net(x))

    expected = composed_attack(net, image, label, budget=0.05).image
    wraps = {
        "dict": (lambda y: {"seg": y, "aux": y[..., ::2, ::2]}, lambda out: out["seg"]),
        "tuple": (lambda y: (y, y[..., ::2, ::2]), lambda out: out[0]),
        "list": (lambda y: [y[..., ::2, ::2], y], lambda out: out[-1]),
        "stacked": (lambda y: torch.stack([y, 0 * y], 1), lambda out: out[:, 0]),
    }
    for wrap, logits_of in wraps.values():
        found = composed_attack(Deep(wrap), image, label, budget=0.05, logits_of=logits_of)
        assert torch.equal(found.image, expected)
    with pytest.raises(InputError, match="network: expected logits as one tensor, found a dict: give logits_of"):
        composed_attack(Deep(wraps["dict"][0]), image, label, budget=0.05)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_ignored_pixels_are_not_targeted_with_the_background(activation):
    net = network(4 if activation == "softmax" else 1)
    image, label = case(net)
    label[..., 6:] = 255
    options = {"include_background": True, "ignore_index": 255, "activation": activation}
    found = composed_attack(net, image, label, budget=0.1, **options)
    logits = net(found.image)
    after = logits.argmax(1) if activation == "softmax" else (logits[:, 0] > 0).long()
    lost = (after != label)[..., :6].double().flatten(1).mean(1)
    torch.testing.assert_close(found.flipped.double(), lost, atol=1e-6, rtol=0)
    assert found.flipped.max() > 0


def test_channels_outside_of_the_mask_stay():
    net = network(3, 2, 3)
    image, label = case(net, channels=3)
    mask = torch.zeros(1, 3, 12, 12)
    mask[:, 1] = 1
    found = composed_attack(net, image, label, budget=0.1, mask=mask)
    assert torch.equal(found.image[:, [0, 2]], image[:, [0, 2]])
    assert (found.image[:, 1] != image[:, 1]).any()
    assert found.flipped.max() > 0


def test_other_ranges_are_the_same_attack_in_other_units():
    """Hounsfield units and z-scores: a network that scales its input is attacked as the one without is."""
    net = network()
    image, label = case(net)

    class Units(nn.Module):
        def forward(self, x):
            return net((x + 1000) / 2500)

    plain = composed_attack(net, image, label, budget=0.05, ball=l2, step=l2_step)
    units = composed_attack(
        Units(), image * 2500 - 1000, label, budget=125.0, bounds=(-1000.0, 1500.0), ball=l2, step=l2_step
    )
    torch.testing.assert_close((units.image + 1000) / 2500, plain.image, atol=2e-4, rtol=0)


def test_dropout_and_running_statistics_are_left_alone():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Tanh(), nn.Dropout2d(0.5), nn.Conv2d(6, 4, 1)
    ).train()
    before = copy.deepcopy(net.state_dict())
    image = torch.rand(3, 1, 12, 12, generator=seeded())
    label = torch.randint(4, (3, 12, 12), generator=seeded())
    first, second = (composed_attack(net, image, label, budget=0.05).image for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda net: torch.jit.trace(net, torch.rand(1, 1, 12, 12))])
def test_data_parallel_and_torchscript_are_attacked_as_the_network_itself(wrap):
    net = network()
    image, label = case(net)
    expected = composed_attack(net, image, label, budget=0.05, n_steps=4)
    found = composed_attack(wrap(net), image, label, budget=0.05, n_steps=4)
    torch.testing.assert_close(found.image, expected.image, atol=1e-5, rtol=0)


def test_budgets_that_are_tiny_for_the_range_are_named():
    net = network()
    image, label = case(net)

    class Units(nn.Module):
        def forward(self, x):
            return net((x + 1000) / 2500)

    with pytest.warns(NoEffectWarning, match=r"budget: expected a change that matters in a range of 2.5e\+03"):
        composed_attack(Units(), image * 2500 - 1000, label, budget=0.02, bounds=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        composed_attack(net, image, torch.zeros_like(label), budget=0.02)
        composed_attack(net, image, label, budget=0.0)


def test_a_mask_that_leaves_nothing_is_named():
    """As ``image > 0`` does in Hounsfield units or z-scores that lie below 0."""
    net = network()
    image, label = case(net)
    with pytest.warns(NoEffectWarning, match="mask: .* in each image, found none in 3 of 3: give a mask"):
        composed_attack(net, image - 2, label, budget=0.02, bounds=None, mask=image - 2 > 0)


def test_a_mask_that_leaves_nothing_in_one_image_is_named():
    net = network()
    image, label = case(net)
    mask = torch.ones(3, 1, 12, 12)
    mask[1] = 0
    with pytest.warns(NoEffectWarning, match="found none in 1 of 3"):
        composed_attack(net, image, label, budget=0.02, mask=mask)


@pytest.mark.parametrize(("budget", "named"), [(2.0, "network"), (0.02, "budget")])
def test_budgets_of_balls_with_parameters_are_read_in_units_of_the_image(budget, named):
    """Weights of a bias field are small numbers where the budget is not."""

    class Step(nn.Module):
        def forward(self, x):
            return torch.cat([0 * x, 1 + 0 * x], 1)

    image = 4000 * torch.rand(1, 1, 64, 64, generator=seeded()) - 1000
    with pytest.warns(NoEffectWarning, match=f"^{named}: "):
        composed_attack(
            Step(), image, torch.ones(1, 64, 64, dtype=torch.long), budget=budget, ball=bias_field, bounds=None
        )


def test_a_saturated_network_is_named():
    class Step(nn.Module):
        def forward(self, x):
            return torch.cat([0 * x, 1 + 0 * x], 1)

    with pytest.warns(NoEffectWarning, match="network: expected a gradient that moves some pixel") as caught:
        composed_attack(Step(), torch.rand(1, 1, 4, 4), torch.ones(1, 4, 4, dtype=torch.long), budget=0.1)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "tanh"}, "activation: expected one of softmax, sigmoid"),
        ({"activation": "sigmoid"}, "network: expected 1 channels of logits"),
        ({"n_steps": 0}, "n_steps: expected at least 1"),
        ({"budget": -1.0}, "radius: expected finite numbers >= 0"),
        ({"restarts": -1}, "restarts: expected at least 0"),
        ({"bounds": (0.2, 0.4)}, "image: expected values within bounds"),
        (
            {"start": torch.rand(3, 1, 12, 11)},
            r"start: expected parameters of shape \(3, 1, 12, 12\), found \(3, 1, 12, 11",
        ),
        ({"mask": torch.ones(3, 2, 12, 12)}, "mask: expected shape"),
        ({"logits_of": lambda out: out[:, :1]}, "network: expected logits of two classes or more, found one channel"),
        ({"logits_of": lambda out: out[:, :2]}, "label: expected classes below 2"),
        ({"logits_of": lambda out: out.argmax(1)}, "network: expected logits"),
    ],
)
def test_what_does_not_fit_is_named_on_one_line(options, message):
    net = network()
    image, label = case(net)
    label = label.clamp_max(1) if options.get("activation") == "sigmoid" else label
    with pytest.raises(InputError, match=message) as raised:
        composed_attack(net, image, label, **{"budget": 0.1, **options})
    assert "\n" not in str(raised.value)


def test_sigmoid_labels_other_than_0_and_1_are_named():
    net = network(1)
    with pytest.raises(InputError, match="label: expected 0 and 1 for a sigmoid, found 2"):
        composed_attack(net, torch.rand(1, 1, 8, 8), torch.full((1, 8, 8), 2), budget=0.1, activation="sigmoid")
