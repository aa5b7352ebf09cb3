from __future__ import annotations

import hashlib
from dataclasses import fields

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from monai_advdefense.attacks.dag import dag, step_size_for
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.errors import InputError

FIELDS = [field.name for field in fields(AttackResult) if field.name != "parameters"]
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
XIE = {
    "norm": "linf",
    "target_term": True,
    "include_background": True,
    "bounds": None,
    "stop": "all_flipped",
    "result": "best",
}


def smooth_network(spatial_dims: int = 2, classes: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    convolution = CONVOLUTIONS[spatial_dims]
    return nn.Sequential(convolution(1, 6, 3, padding=1), nn.Tanh(), convolution(6, classes, 3, padding=1)).double()


def regularised_network() -> nn.Module:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Tanh(), nn.Dropout2d(0.5), nn.Conv2d(6, 4, 1)
    ).double()
    network(torch.rand(4, 1, 8, 8, dtype=torch.float64))  # running statistics that differ from their start
    return network


def sample(batch: int = 3, spatial: tuple[int, ...] = (8, 8), classes: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((batch, 1, *spatial), generator=generator, dtype=torch.float64)
    label, target = torch.randint(classes, (2, batch, *spatial), generator=generator)
    return image, label, target


def clean_prediction(network: nn.Module, image: Tensor) -> Tensor:
    with torch.no_grad():
        return network(image).argmax(1)


def fraction_flipped(network: nn.Module, image: Tensor, label: Tensor, targeted: Tensor) -> Tensor:
    wrong = clean_prediction(network, image) != label
    return (wrong & targeted).flatten(1).sum(1) / targeted.flatten(1).sum(1)


def assert_same(first: AttackResult, second: AttackResult) -> None:
    for name in FIELDS:
        torch.testing.assert_close(getattr(first, name), getattr(second, name), msg=name)


def fingerprint(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("spatial", [(1, 1), (3, 4), (2, 2, 3)])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("target_term", [True, False])
def test_norm_is_near_the_smallest_that_flips_a_linear_network(spatial, norm, target_term):
    torch.manual_seed(0)
    network = CONVOLUTIONS[len(spatial)](5, 2, 1).double().requires_grad_(False)
    # Opposite weights: minus the gradient of one logit then points straight at the boundary.
    network.weight[1] = -network.weight[0]
    image = torch.randn(6, 5, *spatial, dtype=torch.float64)
    margin = (network(image)[:, 0] - network(image)[:, 1]).abs().flatten(1)
    distance = margin / (network.weight[0] - network.weight[1]).norm()
    smallest = distance.norm(dim=1)
    label = clean_prediction(network, image)

    found = dag(
        network,
        image,
        label,
        target=1 - label,
        step_size=0.1 * float(smallest.min()) if norm == "l2" else 0.02 * float(distance.max()),
        steps=400,
        norm=norm,
        target_term=target_term,
        include_background=True,
        bounds=None,
        stop="all_flipped",
    )

    assert found.success.all()
    assert (found.norm >= smallest * (1 - 1e-9)).all()
    assert (found.norm <= 1.25 * smallest).all()


@pytest.mark.parametrize(
    "options", [{}, {"result": "best"}, {"stop": "all_flipped", "bounds": (-4, 4)}, XIE, {**XIE, "result": "last"}]
)
@pytest.mark.parametrize("masked", [False, True])
def test_batch_of_eight_equals_eight_batches_of_one(options, masked):
    network = smooth_network()
    image, label, target = sample(batch=8)
    label[2:] = clean_prediction(network, image)[2:]
    label[1] = target[1]
    mask = image > 0.1 if masked else None
    settings = {"step_size": 0.1 if options.get("norm") == "linf" else 0.4, "steps": 20, **options}

    together = dag(network, image, label, target=target, mask=mask, **settings)
    for i in range(8):
        one = slice(i, i + 1)
        part = mask if mask is None else mask[one]
        alone = dag(network, image[one], label[one], target=target[one], mask=part, **settings)
        assert_same(alone, AttackResult(*(getattr(together, name)[one] for name in FIELDS)))
    if options.get("stop") == "all_flipped":
        assert len(together.iterations.unique()) > 2


def test_network_is_left_as_it_was_found():
    network = regularised_network()
    network[1].eval()
    network[0].bias.requires_grad_(False)
    network[4].weight.grad = torch.ones_like(network[4].weight)
    before = fingerprint(network)
    flags = [module.training for module in network.modules()]
    trainable = [parameter.requires_grad for parameter in network.parameters()]
    image, label, target = sample()

    dag(network, image, label, target=target, step_size=0.4, steps=3)

    assert fingerprint(network) == before
    assert [module.training for module in network.modules()] == flags
    assert [parameter.requires_grad for parameter in network.parameters()] == trainable
    assert torch.equal(network[4].weight.grad, torch.ones_like(network[4].weight))
    assert all(parameter.grad is None for parameter in network.parameters() if parameter is not network[4].weight)


def test_dropout_and_batch_norm_in_train_mode_are_attacked_as_in_evaluation():
    image, label, target = sample()
    results = [
        dag(regularised_network().train(mode), image, label, target=target, step_size=0.4, steps=4)
        for mode in (True, True, False)
    ]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("result", ["best", "last"])
def test_step_size_zero_is_the_identity(norm, result):
    image, label, target = sample()
    found = dag(smooth_network(), image, label, target=target, step_size=0, steps=3, norm=norm, result=result)
    assert torch.equal(found.image, image)
    assert torch.equal(found.norm, torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", float("inf"))])
def test_one_step_has_exactly_its_norm_per_sample(norm, order, scale):
    torch.manual_seed(0)
    network = nn.Conv2d(1, 3, 3, padding=1, bias=False)
    with torch.no_grad():
        network.weight *= scale
    image = torch.rand(3, 1, 6, 6)
    label = clean_prediction(network, image)
    target = (label + 1) % 3
    target[0].flatten()[5:] = label[0].flatten()[5:]  # few targeted pixels: a smaller gradient than its neighbours'

    found = dag(
        network,
        image,
        label,
        target=target,
        step_size=0.25,
        steps=1,
        norm=norm,
        bounds=None,
        include_background=True,
    )

    length = torch.linalg.vector_norm((found.image - image).flatten(1), ord=order, dim=1)
    torch.testing.assert_close(length, torch.full((3,), 0.25), rtol=1e-5, atol=0)


@pytest.mark.parametrize(("target_term", "direction"), [(False, [0, -1, 0, 0, 0]), (True, [0, -1, 1, 0, 0])])
def test_gradient_at_a_pixel_equals_the_hand_computed_one(target_term, direction):
    logits = torch.tensor([0.1, 0.9, 0.2, 0.3, 0.4], dtype=torch.float64).view(1, 5, 1, 1)
    label, target = torch.full((2, 1, 1, 1), 1)
    target = torch.full_like(label, 2)
    found = dag(
        nn.Identity(), logits, label, target=target, step_size=0.01, steps=1, target_term=target_term, norm="linf"
    )
    expected = logits.flatten() + 0.01 * torch.tensor(direction)
    torch.testing.assert_close(found.image.flatten(), expected)


def test_only_targeted_pixels_still_predicted_as_their_label_are_pushed():
    #                        pushed  background  wrong already  target is label
    label = torch.tensor([[[1, 0, 1, 1]]])
    target = torch.tensor([[[0, 1, 0, 1]]])
    predicted = torch.tensor([[[1, 0, 0, 1]]])
    logits = nn.functional.one_hot(predicted, 2).movedim(-1, 1).double()

    found = dag(nn.Identity(), logits, label, target=target, step_size=0.5, steps=1, norm="linf")
    moved = (found.image - logits).abs().sum(1)
    assert torch.equal(moved, torch.tensor([[[0.5, 0, 0, 0]]], dtype=torch.float64))
    assert found.flipped.tolist() == [0.5]  # a tie still counts as predicted

    found = dag(
        nn.Identity(), logits, label, target=target, step_size=0.5, steps=1, norm="linf", include_background=True
    )
    moved = (found.image - logits).abs().sum(1)
    assert torch.equal(moved, torch.tensor([[[0.5, 0.5, 0, 0]]], dtype=torch.float64))


@pytest.mark.parametrize("spatial", [(9,), (6, 5), (4, 3, 5)])
@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("target_term", [True, False])
@pytest.mark.parametrize("include_background", [True, False])
def test_three_steps_equal_the_textbook_with_one_hot_labels(spatial, norm, target_term, include_background):
    network = smooth_network(len(spatial))
    image, _, target = sample(spatial=spatial)
    label = clean_prediction(network, image)
    label[:, ::2] = (label[:, ::2] + 1) % 4
    expected = image.clone()
    for _ in range(3):
        leaf = expected.clone().requires_grad_()
        logits = network(leaf)
        wanted, true = (nn.functional.one_hot(each, 4).movedim(-1, 1).double() for each in (target, label))
        pushed = (logits.argmax(1) == label) & (target != label) & (include_background | (label != 0))
        difference = (wanted * target_term - true) * logits
        (difference.sum(1) * pushed).sum().backward()
        order = 2 if norm == "l2" else float("inf")
        length = torch.linalg.vector_norm(leaf.grad.flatten(1), ord=order, dim=1)
        direction = leaf.grad / length.clamp_min(1e-300).view(-1, *[1] * (image.ndim - 1))
        expected = (expected + 0.1 * direction).clamp(0, 1)

    found = dag(
        network,
        image,
        label,
        target=target,
        step_size=0.1,
        steps=3,
        norm=norm,
        target_term=target_term,
        include_background=include_background,
    )
    torch.testing.assert_close(found.image, expected)


@pytest.mark.parametrize("shared", [True, False])
def test_perturbation_stays_within_the_mask_at_full_length(shared):
    network = smooth_network()
    image, _, target = sample()
    label = clean_prediction(network, image)
    mask = torch.rand(1 if shared else 3, 1, 8, 8, generator=torch.Generator().manual_seed(3)) > 0.5
    settings = {"target": target, "step_size": 0.3, "bounds": None, "include_background": True}

    found = dag(network, image, label, mask=mask, steps=5, **settings)
    outside = ~mask.expand(3, 1, 8, 8)
    assert torch.equal(found.image[outside], image[outside])
    first = dag(network, image, label, mask=mask, steps=1, **settings)
    torch.testing.assert_close(first.norm, torch.full((3,), 0.3, dtype=torch.float64))
    assert not dag(network, image, label, mask=torch.zeros_like(mask), steps=2, **settings).norm.any()


def test_bounds_hold_and_can_be_lifted():
    network = smooth_network()
    image, _, target = sample()
    label = clean_prediction(network, image)
    image = 2 * image - 1
    inside = dag(network, image, label, target=target, step_size=5, steps=3, bounds=(-1, 1)).image
    free = dag(network, image, label, target=target, step_size=5, steps=3, bounds=None).image
    assert inside.min() == -1
    assert inside.max() == 1
    assert free.min() < -1
    assert free.max() > 1


def test_early_stop_saves_steps_and_gives_the_same_image():
    network = smooth_network()
    image, _, target = sample()
    label = clean_prediction(network, image)
    settings = {"target": target, "step_size": 0.3, "steps": 60, "bounds": None}
    early = dag(network, image, label, stop="all_flipped", **settings)
    full = dag(network, image, label, stop="never", **settings)
    assert early.success.all()
    assert (early.iterations < 60).all()
    assert full.iterations.tolist() == [60] * 3
    torch.testing.assert_close(early.image, full.image)


def test_best_iterate_is_not_worse_than_the_last():
    better = torch.zeros(6, dtype=torch.bool)
    for seed in range(3):
        network = smooth_network(seed=seed)
        image, _, target = sample(batch=6, seed=seed)
        label = clean_prediction(network, image)
        settings = {"target": target, "step_size": 4, "steps": 7, "target_term": True, "include_background": True}
        best = dag(network, image, label, result="best", **settings)
        last = dag(network, image, label, result="last", **settings)
        assert (best.flipped >= last.flipped).all()
        better |= best.flipped > last.flipped
    assert better.any()


def test_best_is_the_earliest_of_equal_iterates():
    image, _, target = sample()
    label = clean_prediction(smooth_network(), image)
    settings = {"target": target, "step_size": 1e-9, "steps": 3, "bounds": None}
    assert torch.equal(dag(smooth_network(), image, label, result="best", **settings).image, image)
    assert dag(smooth_network(), image, label, result="last", **settings).norm.all()


@pytest.mark.parametrize("options", [{}, XIE, {"result": "best", "step_size": 2.0}])
def test_figures_are_those_of_the_returned_image(options):
    network = smooth_network()
    image, _, target = sample(batch=6)
    label = clean_prediction(network, image)
    found = dag(network, image, label, target=target, **{"step_size": 0.1, "steps": 5, **options})
    targeted = (target != label) & ((label != 0) | options.get("include_background", False))
    flipped = fraction_flipped(network, found.image, label, targeted)
    torch.testing.assert_close(found.flipped, flipped)
    assert torch.equal(found.success, flipped == 1)
    torch.testing.assert_close(found.norm, (found.image - image).flatten(1).norm(dim=1))
    assert flipped.mean() > 0


def test_one_forward_pass_per_step_on_the_samples_that_are_left():
    network = smooth_network()
    image, _, target = sample(batch=4)
    label = clean_prediction(network, image)
    target[3] = label[3]
    sizes: list[int] = []
    network.register_forward_hook(lambda module, given, logits: sizes.append(len(logits)))
    found = dag(network, image, label, target=target, step_size=0.4, steps=60, bounds=None, stop="all_flipped")
    assert len(found.iterations.unique()) == 4
    assert found.success.tolist() == [True, True, True, False]
    assert sizes == [int((found.iterations[:3] >= step).sum()) for step in range(int(found.iterations.max()) + 1)]

    sizes.clear()
    dag(network, image, label, target=target, step_size=0.3, steps=7)
    assert sizes == [3] * 8


def test_sample_without_a_targeted_pixel_is_no_success():
    image, label, target = sample()
    label[1] = 0
    found = dag(smooth_network(), image, label, target=target, step_size=0.3, steps=3)
    assert torch.equal(found.image[1], image[1])
    assert (found.success[1].item(), found.flipped[1].item(), found.iterations[1].item()) == (False, 0, 0)
    assert found.norm[0] > 0
    assert found.norm[2] > 0
    empty = dag(smooth_network(), image, label, target=label, step_size=0.3, steps=3)
    assert torch.equal(empty.image, image)


def test_sample_with_zero_gradient_does_not_move():
    network = nn.Sequential(nn.Threshold(0.5, 0), nn.Conv2d(1, 2, 1)).double()
    image = torch.stack([torch.full((1, 4, 4), 0.3), torch.full((1, 4, 4), 0.7)]).double()
    label = clean_prediction(network, image)
    found = dag(network, image, label, target=1 - label, step_size=0.1, steps=2, include_background=True)
    assert torch.equal(found.image[0], image[0])
    assert not found.success[0]
    assert found.norm[1] > 0


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_caller_may_have_switched_gradients_off(context):
    network = smooth_network()
    with context():
        image, label, target = sample()
        found = dag(network, image, label, target=target, step_size=0.3, steps=3, mask=image > 0.5)
    image, label, target = sample()
    assert_same(found, dag(network, image, label, target=target, step_size=0.3, steps=3, mask=image > 0.5))


def test_inputs_are_not_modified_and_the_result_is_detached():
    image, label, target = sample()
    mask = image > 0.5
    given = (image, label, target, mask)
    copies = [each.clone() for each in given]
    image.requires_grad_()
    found = dag(smooth_network(), image, label, target=target, mask=mask, step_size=0.3, steps=3)
    assert all(torch.equal(each, copy) for each, copy in zip(given, copies, strict=True))
    assert image.grad is None
    assert not found.image.requires_grad
    assert found.image.data_ptr() != image.data_ptr()


def test_meta_tensors_give_plain_tensors_and_the_same_result():
    image, label, target = sample()
    settings = {"step_size": 0.3, "steps": 2}
    found = dag(smooth_network(), MetaTensor(image), MetaTensor(label), target=MetaTensor(target), **settings)
    assert not any(isinstance(getattr(found, name), MetaTensor) for name in FIELDS)
    assert_same(found, dag(smooth_network(), image, label, target=target, **settings))


@pytest.mark.parametrize("side", [64, 192, 256])
def test_step_size_keeps_the_change_per_pixel_of_the_paper(side):
    assert step_size_for(side) ** 2 / side**2 == pytest.approx(0.5**2 / 256**2)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"step_size": -0.1}, "step_size"),
        ({"step_size": float("nan")}, "step_size"),
        ({"steps": 0}, "steps"),
        ({"norm": "l1"}, "norm"),
        ({"stop": "sometimes"}, "stop"),
        ({"result": "first"}, "result"),
        ({"bounds": (0.9, 1.0)}, "image"),
        ({"image": torch.full((3, 1, 8, 8), float("nan"))}, "image"),
        ({"label": torch.zeros(3, 1, 8, 8, dtype=torch.int64)}, "label"),
        ({"label": torch.full((3, 8, 8), 4)}, "label"),
        ({"target": torch.full((3, 8, 8), 4), "target_term": True}, "target"),
        ({"target": torch.full((3, 8, 8), -1)}, "target"),
        ({"mask": torch.ones(3, 8, 8)}, "mask"),
        ({"network": nn.AvgPool2d(2)}, "network"),
        ({"network": nn.Flatten()}, "network"),
        ({"network": nn.LSTM(8, 8)}, "network"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    image, label, target = sample()
    given = {"network": smooth_network(), "image": image, "label": label, "target": target, "step_size": 0.1, **changes}
    if isinstance(given["network"], nn.LSTM):
        given["network"] = Pair()
    with pytest.raises(InputError, match=f"{name}") as raised:
        dag(**given)
    assert "\n" not in str(raised.value)


class Pair(nn.Module):
    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return image, image


class Root(nn.Module):
    """Logits whose derivative is infinite where the image is 0."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image.sqrt(), -image], 1)


class Explosive(nn.Module):
    """Logits that are NaN as soon as the image has moved away from 0."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, -image], 1) + torch.where(image == 0, 0.0, torch.nan)


class Blind(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, -image], 1).detach()


def test_target_term_pushes_every_structure_of_a_sigmoid_towards_its_target():
    network = smooth_network(classes=2)
    image, _, _ = sample()
    label = (network(image) > 0).long()
    found = dag(
        network,
        image,
        label,
        target=1 - label,
        step_size=0.1,
        steps=1,
        bounds=None,
        target_term=True,
        include_background=True,
        activation="sigmoid",
    )
    clean = image.clone().requires_grad_()
    # Every pixel is predicted as its label: a structure that is there shall go, one that is not shall come.
    (gradient,) = torch.autograd.grad(((1 - 2 * label) * network(clean)).sum(), clean)
    step = 0.1 * gradient / torch.linalg.vector_norm(gradient, dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(found.image, image + step)


@pytest.mark.parametrize("network", [Root(), Explosive(), Blind()])
def test_network_without_usable_logits_or_gradients_is_refused(network):
    image = torch.zeros(1, 1, 2, 2)
    label = torch.zeros(1, 2, 2, dtype=torch.int64)
    with pytest.raises(InputError, match="network"):
        dag(network, image, label, target=1 - label, step_size=0.1, steps=1, bounds=None, include_background=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_the_result_of_the_cpu():
    network = smooth_network()
    image, label, target = sample()
    settings = {"step_size": 0.1, "steps": 5, "target_term": True}
    on_cpu = dag(network, image, label, target=target, **settings)
    on_gpu = dag(network.cuda(), image.cuda(), label.cuda(), target=target.cuda(), **settings)
    assert on_gpu.image.is_cuda
    assert_same(on_cpu, AttackResult(*(getattr(on_gpu, name).cpu() for name in FIELDS)))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95, 1.0])
def test_a_sample_leaves_once_enough_of_its_pixels_are_flipped(share):
    network = smooth_network()
    image, _, _ = sample(batch=4)
    label = clean_prediction(network, image)
    options = {"target": (label + 1) % 4, "step_size": 0.1, "steps": 300, "include_background": True, "bounds": None}
    found = dag(network, image, label, **options, stop="all_flipped", stop_share=share)
    assert (found.flipped >= share).all()
    for place, steps in enumerate(found.iterations.tolist()):
        one = slice(place, place + 1)
        alone = {**options, "target": options["target"][one], "steps": steps - 1}
        before = dag(network, image[one], label[one], **alone)
        assert before.flipped < share


@pytest.mark.parametrize("share", [0.0, 1.1, float("nan")])
def test_a_share_that_is_none_is_named(share):
    image, label, target = sample()
    with pytest.raises(InputError, match="stop_share: expected a number above 0, at most 1"):
        dag(smooth_network(), image, label, target=target, step_size=0.1, stop_share=share)
