from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.errors import InputError

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
FIELDS = [field.name for field in fields(AttackResult)]
BUDGET = {"radius": 0.8, "steps": 6, "step_size": 0.3}


def smooth_network(spatial_dims: int = 2, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    convolution = CONVOLUTIONS[spatial_dims]
    return nn.Sequential(convolution(1, 6, 3, padding=1), nn.Tanh(), convolution(6, 4, 3, padding=1)).double()


def linear_network(spatial_dims: int) -> nn.Module:
    torch.manual_seed(0)
    return CONVOLUTIONS[spatial_dims](5, 2, 1).double().requires_grad_(False)


def regularised_network() -> nn.Module:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Tanh(), nn.Dropout2d(0.5), nn.Conv2d(6, 4, 1)
    ).double()
    network(torch.rand(4, 1, 8, 8, dtype=torch.float64))  # running statistics that differ from their start
    return network


def sample(batch: int = 3, spatial: tuple[int, ...] = (8, 8), seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((batch, 1, *spatial), generator=generator, dtype=torch.float64)
    return image, torch.randint(4, (batch, *spatial), generator=generator)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def length(difference: Tensor, norm: str = "l2") -> Tensor:
    order = 2 if norm == "l2" else float("inf")
    return torch.linalg.vector_norm(difference.flatten(1), ord=order, dim=1)


def loss_of(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """Mean over the pixels of minus the log-probability of the label, per sample."""
    return -network(image).log_softmax(1).gather(1, label.unsqueeze(1)).flatten(1).mean(1)


def fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def assert_same(first: AttackResult, second: AttackResult) -> None:
    for name in FIELDS:
        torch.testing.assert_close(getattr(first, name), getattr(second, name), msg=name)


@pytest.mark.parametrize("spatial", [(1,), (1, 1), (1, 1, 1)])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_linear_network_of_one_pixel_is_left_in_the_known_direction(spatial, norm):
    network = linear_network(len(spatial))
    image = torch.randn(4, 5, *spatial, dtype=torch.float64, generator=seeded())
    label = torch.tensor([0, 1, 0, 1]).view(4, *spatial)
    radius = torch.tensor([0.1, 0.5, 1.0, 3.0], dtype=torch.float64)

    found = pgd(
        network,
        image,
        label,
        radius=radius,
        steps=12,
        step_size=radius / 5,
        norm=norm,
        bounds=None,
        include_background=True,
    )

    weight = network.weight.flatten(1)
    away = (weight[1] - weight[0]) * torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]).double()
    direction = away / away.norm(dim=1, keepdim=True) if norm == "l2" else away.sign()
    expected = image.flatten(1) + radius[:, None] * direction
    torch.testing.assert_close(found.image.flatten(1), expected)
    # The highest loss within the ball: the margin falls by the radius times the dual norm of its gradient.
    logits = network(image).flatten(1)
    margin = torch.where(label.flatten() == 0, logits[:, 0] - logits[:, 1], logits[:, 1] - logits[:, 0])
    dual = away.norm(dim=1) if norm == "l2" else away.abs().sum(1)
    highest = nn.functional.softplus(radius * dual - margin)
    torch.testing.assert_close(loss_of(network, found.image, label), highest)
    assert torch.equal(found.success, radius * dual > margin)
    assert set(found.success.tolist()) == {True, False}


def test_many_pixels_share_the_radius_until_the_gradient_points_outwards():
    network = linear_network(2)
    image = torch.randn(2, 5, 3, 4, dtype=torch.float64, generator=seeded())
    label = torch.randint(2, (2, 3, 4), generator=seeded(1))
    found = pgd(network, image, label, radius=1, steps=80, step_size=0.2, bounds=None, include_background=True)
    leaf = found.image.clone().requires_grad_()
    loss_of(network, leaf, label).sum().backward()
    # Of a loss on a sphere this is the condition for a maximum.
    cosine = nn.functional.cosine_similarity(leaf.grad.flatten(1), (found.image - image).flatten(1))
    torch.testing.assert_close(cosine, torch.ones(2, dtype=torch.float64))
    torch.testing.assert_close(found.norm, torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("spatial", [(9,), (6, 5), (3, 4, 3)])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("include_background", [False, True])
def test_four_steps_equal_the_textbook_in_numpy(spatial, norm, masked, include_background):
    network = smooth_network(len(spatial))
    image, label = sample(spatial=spatial)
    mask = image > 0.2 if masked else torch.ones_like(image, dtype=torch.bool)
    radius, size = (0.3, 0.12) if norm == "l2" else (0.05, 0.02)
    for index in range(len(image)):
        original, allowed = image[index].numpy(), mask[index].numpy()
        targeted = mask[index, 0] & ((label[index] != 0) | include_background)
        moved = original.copy()
        for _ in range(4):
            leaf = torch.from_numpy(moved[None]).requires_grad_()
            logits = network(leaf)
            one_hot = nn.functional.one_hot(label[index], 4).movedim(-1, 0)[None]
            rest = logits.logsumexp(1) - (logits * one_hot).sum(1)
            gradient = torch.autograd.grad((rest * targeted).sum(), leaf)[0][0].numpy() * allowed
            direction = gradient / np.sqrt((gradient**2).sum()) if norm == "l2" else np.sign(gradient)
            change = moved + size * direction - original
            if norm == "l2":
                change *= min(1, radius / np.sqrt((change**2).sum()))
            else:
                change = np.clip(change, -radius, radius)
            moved = np.clip(original + change, 0, 1)
        found = pgd(
            network,
            image[index : index + 1],
            label[index : index + 1],
            radius=radius,
            steps=4,
            step_size=size,
            norm=norm,
            mask=mask[index : index + 1],
            include_background=include_background,
        )
        torch.testing.assert_close(found.image[0], torch.from_numpy(moved))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("start", [False, True])
def test_norm_is_never_above_the_radius_and_zero_is_the_identity(norm, start):
    image, label = sample(batch=4)
    network = smooth_network().float()
    radius = torch.tensor([0.0, 0.01, 0.3, 2.0])
    found = pgd(
        network,
        image.float(),
        label,
        radius=radius,
        steps=5,
        step_size=0.5,
        norm=norm,
        generator=seeded() if start else None,
    )
    change = found.image - image.float()
    assert (length(change.double() if norm == "l2" else change, norm) <= radius).all()
    assert torch.equal(found.image[0], image[0].float())
    assert (found.norm[1:] > 0).all()
    assert found.image.min() >= 0
    assert found.image.max() <= 1


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("start", [False, True])
def test_only_the_mask_changes_and_only_its_pixels_are_targeted(shared, start):
    image, label = sample()
    mask = torch.rand(1 if shared else 3, 1, 8, 8, generator=seeded(3)) > 0.5
    options = {"mask": mask, "include_background": True, **BUDGET}
    found = pgd(smooth_network(), image, label, generator=seeded() if start else None, **options)
    outside = ~mask.expand(3, 1, 8, 8)
    assert torch.equal(found.image[outside], image[outside])
    assert (found.image != image).any()
    # What the label says outside the mask does not matter.
    other = torch.where(outside[:, 0], (label + 1) % 4, label)
    assert_same(found, pgd(smooth_network(), image, other, generator=seeded() if start else None, **options))


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("result", ["best", "last"])
def test_batch_of_four_equals_four_batches_of_one(norm, result):
    network = smooth_network()
    image, label = sample(batch=4)
    label[1] = 0  # nothing to attack
    mask, generator = image > 0.1, seeded()
    radius = torch.tensor([0.1, 0.4, 0.8, 1.6])
    options = {"steps": 5, "step_size": 0.2, "norm": norm, "result": result}
    together = pgd(network, image, label, radius=radius, mask=mask, generator=seeded(), **options)
    for i in range(4):
        one = slice(i, i + 1)
        alone = pgd(network, image[one], label[one], radius=radius[one], mask=mask[one], generator=generator, **options)
        assert_same(alone, AttackResult(*(getattr(together, name)[one] for name in FIELDS)))


def test_network_is_left_as_it_was_found():
    network = regularised_network()
    network[1].eval()
    network[0].bias.requires_grad_(False)
    network[4].weight.grad = torch.ones_like(network[4].weight)
    before = fingerprint(network)
    flags = [module.training for module in network.modules()]
    trainable = [parameter.requires_grad for parameter in network.parameters()]

    pgd(network, *sample(), **BUDGET)

    assert fingerprint(network) == before
    assert [module.training for module in network.modules()] == flags
    assert [parameter.requires_grad for parameter in network.parameters()] == trainable
    assert torch.equal(network[4].weight.grad, torch.ones_like(network[4].weight))
    assert all(parameter.grad is None for parameter in network.parameters() if parameter is not network[4].weight)


def test_network_in_train_mode_is_attacked_as_in_evaluation():
    assert_same(*(pgd(regularised_network().train(mode), *sample(), **BUDGET) for mode in (True, False)))


def test_one_forward_pass_and_gradient_per_step_and_one_more_pass_at_the_end():
    passes: list[str] = []

    def record(module: nn.Module, given: tuple[Tensor], logits: Tensor) -> None:
        passes.append("forward")
        if logits.requires_grad:
            logits.register_hook(lambda gradient: passes.append("gradient"))

    network = smooth_network()
    network.register_forward_hook(record)
    pgd(network, *sample(), radius=0.5, steps=3, step_size=0.1)
    assert passes == ["forward", "gradient"] * 3 + ["forward"]


def test_last_is_the_last_and_best_the_one_with_the_most_flipped_pixels():
    better = False
    for seed in range(4):
        network = smooth_network(seed=seed)
        image, label = sample(batch=6, seed=seed)
        settings = {"radius": 2.0, "step_size": 1.5}
        last = [pgd(network, image, label, steps=steps, **settings) for steps in (1, 2, 3, 4)]
        best = pgd(network, image, label, steps=4, result="best", **settings)
        flipped = torch.stack([found.flipped for found in last])
        assert (best.flipped >= flipped.amax(0)).all()
        better |= bool((best.flipped > last[-1].flipped).any())
    assert better


def test_best_is_the_earliest_of_iterates_that_flip_as_many():
    image = torch.tensor([[[0.6], [0.4]]])  # its own logits, flipped after two steps
    found = pgd(
        torch.nn.Identity(),
        image,
        torch.tensor([[0]]),
        radius=1.0,
        steps=6,
        step_size=0.1,
        norm="linf",
        include_background=True,
        result="best",
    )
    torch.testing.assert_close(found.image, torch.tensor([[[0.4], [0.6]]]))


@pytest.mark.parametrize("options", [{}, {"result": "best"}, {"include_background": True}])
def test_figures_are_those_of_the_returned_image(options):
    network = smooth_network()
    image, label = sample(batch=6)
    found = pgd(network, image, label, **BUDGET, **options)
    targeted = (label != 0) | options.get("include_background", False)
    wrong = (network(found.image).argmax(1) != label) & targeted
    flipped = wrong.flatten(1).sum(1) / targeted.flatten(1).sum(1)
    torch.testing.assert_close(found.flipped, flipped)
    assert torch.equal(found.success, flipped == 1)
    torch.testing.assert_close(found.norm, length(found.image - image))
    assert found.iterations.tolist() == [6] * 6
    clean = pgd(network, image, label, radius=0, steps=1, step_size=0, **options)
    assert (found.flipped > clean.flipped).all()


def test_sample_without_a_targeted_pixel_stays():
    image, label = sample()
    label[1] = 0
    found = pgd(smooth_network(), image, label, generator=seeded(), **BUDGET)
    assert torch.equal(found.image[1], image[1])
    assert (found.success[1].item(), found.flipped[1].item(), found.iterations[1].item()) == (False, 0, 0)
    assert found.norm[0] > 0


def test_random_start_is_that_of_the_generator():
    image, label = sample()
    settings = {"radius": 0.5, "steps": 1, "step_size": 0}
    found = pgd(smooth_network(), image, label, generator=seeded(), **settings)
    assert_same(found, pgd(smooth_network(), image, label, generator=seeded(), **settings))
    assert not torch.equal(found.image, pgd(smooth_network(), image, label, generator=seeded(1), **settings).image)
    assert (found.norm > 0.25).all()
    assert torch.equal(pgd(smooth_network(), image, label, **settings).image, image)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_caller_may_have_switched_gradients_off(context):
    network = smooth_network()
    with context():
        image, label = sample()
        radius = torch.tensor([0.2, 0.4, 0.8])
        found = pgd(network, image, label, radius=radius, steps=3, step_size=radius, mask=image > 0.5)
    image, label = sample()
    radius = torch.tensor([0.2, 0.4, 0.8])
    assert_same(found, pgd(network, image, label, radius=radius, steps=3, step_size=radius, mask=image > 0.5))


def test_inputs_are_not_modified_and_the_result_is_detached():
    image, label = sample()
    mask = image > 0.5
    copies = [each.clone() for each in (image, label, mask)]
    image.requires_grad_()
    found = pgd(smooth_network(), image, label, mask=mask, **BUDGET)
    assert all(torch.equal(each, copy) for each, copy in zip((image, label, mask), copies, strict=True))
    assert image.grad is None
    assert not found.image.requires_grad
    assert pgd(smooth_network(), image, label, radius=0, steps=1, step_size=0).image.data_ptr() != image.data_ptr()


def test_meta_tensors_give_plain_tensors_and_the_same_result():
    image, label = sample()
    mask = (image > 0.5).float()
    found = pgd(smooth_network(), MetaTensor(image), MetaTensor(label), mask=MetaTensor(mask), **BUDGET)
    assert not any(isinstance(getattr(found, name), MetaTensor) for name in FIELDS)
    assert_same(found, pgd(smooth_network(), image, label, mask=mask, **BUDGET))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"radius": -0.1}, "radius"),
        ({"radius": torch.ones(2)}, "radius"),
        ({"step_size": float("nan")}, "step_size"),
        ({"steps": 0}, "steps"),
        ({"norm": "l1"}, "norm"),
        ({"result": "first"}, "result"),
        ({"bounds": (0.9, 1.0)}, "image"),
        ({"bounds": (1.0, 0.0)}, "bounds"),
        ({"image": torch.full((3, 1, 8, 8), float("nan"))}, "image"),
        ({"label": torch.zeros(3, 1, 8, 8, dtype=torch.int64)}, "label"),
        ({"label": torch.full((3, 8, 8), 4)}, "label"),
        ({"label": torch.full((3, 8, 8), -1)}, "label"),
        ({"mask": torch.ones(3, 8, 8)}, "mask"),
        ({"network": nn.AvgPool2d(2)}, "network"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    image, label = sample()
    given = {"network": smooth_network(), "image": image, "label": label, **BUDGET, **changes}
    with pytest.raises(InputError, match=f"{name}") as raised:
        pgd(**given)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_the_result_of_the_cpu():
    network = smooth_network()
    image, label = sample()
    on_cpu = pgd(network, image, label, generator=seeded(), **BUDGET)
    on_gpu = pgd(network.cuda(), image.cuda(), label.cuda(), generator=seeded(), **BUDGET)
    assert on_gpu.image.is_cuda
    assert_same(on_cpu, AttackResult(*(getattr(on_gpu, name).cpu() for name in FIELDS)))
