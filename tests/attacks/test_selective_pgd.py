from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from monai_advdefense.attacks.pgd import pgd
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.selective_pgd import selective_pgd
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
FIELDS = [field.name for field in fields(AttackResult) if field.name != "parameters"]

Excess = Callable[[Tensor], Tensor]


def smooth_network(spatial_dims: int = 2, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    convolution = CONVOLUTIONS[spatial_dims]
    return nn.Sequential(convolution(1, 6, 3, padding=1), nn.Tanh(), convolution(6, 4, 3, padding=1)).double()


def sample(batch: int = 3, spatial: tuple[int, ...] = (8, 8), seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((batch, 1, *spatial), generator=generator, dtype=torch.float64)
    return image, torch.randint(4, (batch, *spatial), generator=generator)


class RoughnessGuard(nn.Module):
    """Two scores of a sample: how much neighbours along the last axis differ, and its mean, over thresholds."""

    def __init__(self, roughness: float = 0.4, brightness: float = 0.5) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1 / roughness, 1 / brightness], dtype=torch.float64))
        self.dropout = nn.Dropout(0.5)

    def forward(self, image: Tensor) -> Tensor:
        rough = image.diff(dim=-1).flatten(1).square().mean(1).sqrt()
        bright = image.flatten(1).mean(1)
        return self.dropout(torch.stack([rough, bright], 1)) * self.scale - 1


def always(image: Tensor) -> Tensor:
    """Accept every image."""
    return -torch.ones(len(image), 2, dtype=image.dtype)


def never(image: Tensor) -> Tensor:
    """Reject every image, the less the darker it is."""
    return 1 + image.flatten(1).square().sum(1, keepdim=True)


def near_threshold(guard: RoughnessGuard, image: Tensor, excess: Tensor) -> Tensor:
    """Scale each sample so that the larger of its scores lies so far above the threshold."""
    ratio = guard(image).detach().amax(1) + 1  # grows with the image
    return image * ((1 + excess) / ratio).view(-1, *[1] * (image.ndim - 1))


def assert_same(first: AttackResult, second: AttackResult) -> None:
    for name in FIELDS:
        torch.testing.assert_close(getattr(first, name), getattr(second, name), msg=name)


def fraction_flipped(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    with torch.no_grad():
        wrong = network(image).argmax(1) != label
    targeted = label != 0
    return (wrong & targeted).flatten(1).sum(1) / targeted.flatten(1).sum(1)


def fingerprint(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def forbidding_setup() -> tuple[nn.Module, Tensor, Tensor, Tensor, Excess]:
    """Four-channel images of one pixel, a linear network, and a guard against half of the way to the other class."""
    network = nn.Conv2d(4, 2, 1, bias=False).double()
    push = torch.tensor([1.0, 1.0, 0, 0], dtype=torch.float64)  # from class 1 to class 0
    with torch.no_grad():
        network.weight.copy_(torch.stack([push, -push]).view(2, 4, 1, 1))
    image = torch.tensor([[-0.5, -0.5, 0.3, 0.2], [-0.3, -0.6, 0.0, 0.1]], dtype=torch.float64).view(2, 4, 1, 1)
    label = torch.ones(2, 1, 1, dtype=torch.int64)
    guarded = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)

    def excess(moved: Tensor) -> Tensor:
        return ((moved - image.to(moved)).flatten(1) @ guarded - 0.1)[:, None]

    return network, image, label, push, excess


def test_guard_against_a_known_direction_is_evaded_where_pgd_is_rejected():
    network, image, label, push, excess = forbidding_setup()
    budget = {"radius": 1.2, "bounds": None}
    blind = pgd(network, image, label, steps=60, step_size=0.12, **budget)
    torch.testing.assert_close(blind.image, image + 1.2 * (push / push.norm()).view(1, 4, 1, 1))
    assert blind.success.all()
    assert (excess(blind.image) > 0).all()

    found = selective_pgd(network, image, label, excess=excess, **budget)
    assert (excess(found.image) <= 0).all()
    assert (network(found.image).argmax(1) == 0).all()
    assert found.success.all()
    assert found.flipped.tolist() == [1, 1]
    assert (found.norm <= 1.2).all()


def test_radius_below_the_shortest_accepted_way_is_no_success():
    network, image, label, _, excess = forbidding_setup()
    # The pixel flips once its first two channels sum to 0, of which the guard leaves 0.1 to the first.
    shortest = torch.linalg.vector_norm(torch.tensor([[0.1, 0.9], [0.1, 0.8]], dtype=torch.float64), dim=1)
    settings = {"excess": excess, "bounds": None, "steps": 300}
    below = selective_pgd(network, image, label, radius=shortest * 0.99, **settings)
    assert (excess(below.image) <= 0).all()
    assert not below.success.any()
    assert not below.flipped.any()
    above = selective_pgd(network, image, label, radius=shortest * 1.05, step_size=0.01, **settings)
    assert above.success.all()
    assert (above.norm >= shortest).all()


@pytest.mark.parametrize("spatial", [(9,), (8, 8), (3, 4, 3)])
@pytest.mark.parametrize("masked", [False, True])
def test_without_a_guard_every_sample_is_damaged_in_its_ball(spatial, masked):
    network = smooth_network(len(spatial))
    image, _ = sample(spatial=spatial)
    label, mask = network(image).argmax(1), torch.ones_like(image, dtype=torch.bool)
    if masked:
        mask = image > 0.2
    radius = torch.tensor([0.4, 0.6, 1.0])
    found = selective_pgd(network, image, label, excess=always, radius=radius, mask=mask, steps=12)
    targeted = (label != 0) & mask[:, 0]
    wrong = (network(found.image).argmax(1) != label) & targeted
    torch.testing.assert_close(found.flipped, wrong.flatten(1).sum(1) / targeted.flatten(1).sum(1))
    assert found.success.all()
    assert torch.equal(found.image[~mask], image[~mask])
    assert (found.norm <= radius).all()


def test_a_small_structure_is_taken_that_cross_entropy_leaves_alone():
    label = torch.ones(1, 101, dtype=torch.int64)
    label[0, 50] = 2
    # The image is its own logits: every pixel is as sure of its class as the others.
    image = 2.0 * nn.functional.one_hot(label, 3).movedim(-1, 1).double()
    options = {"radius": 2.5, "steps": 40, "bounds": None}
    blind = pgd(nn.Identity(), image, label, step_size=0.25, result="best", **options)
    assert torch.equal(blind.image.argmax(1), label)
    found = selective_pgd(nn.Identity(), image, label, excess=always, **options)
    assert (found.image.argmax(1) != label).nonzero().tolist() == [[0, 50]]


def test_guard_that_accepts_nothing_leaves_the_iterate_with_the_least_excess():
    network = smooth_network()
    image, label = sample()
    found = selective_pgd(network, image, label, excess=never, radius=0.5, steps=20)
    assert not found.success.any()
    # The darkest image within reach lies straight towards 0.
    darkest = image * (1 - 0.5 / image.flatten(1).norm(dim=1).view(3, 1, 1, 1))
    torch.testing.assert_close(found.image, darkest)
    torch.testing.assert_close(found.flipped, fraction_flipped(network, found.image, label))
    assert found.iterations.tolist() == [20] * 3


def test_most_violated_score_alone_is_descended():
    image, label = sample()
    first, second = torch.randn(2, 1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def excess(moved: Tensor) -> Tensor:
        return torch.stack([(first * (moved - image)).flatten(1).sum(1), (second * moved).flatten(1).sum(1)], 1) + 50

    start = excess(image)
    assert set(start.argmax(1).tolist()) == {0, 1}
    settings = {"radius": 0.4, "steps": 1, "step_size": 0.3, "bounds": None}
    found = selective_pgd(smooth_network(), image, label, excess=excess, **settings)
    descended = torch.where(start.argmax(1).view(3, 1, 1, 1) == 0, first, second)
    expected = image - 0.3 * descended / descended.flatten(1).norm(dim=1).view(3, 1, 1, 1)
    torch.testing.assert_close(found.image, expected)


def iterates(network: nn.Module, image: Tensor, label: Tensor, guard: Excess, mask: Tensor, radius: float) -> list:
    """Write eleven iterates of one sample down, by the definition."""
    found = [image]
    for _ in range(10):
        leaf = found[-1].clone().requires_grad_()
        scores = guard(leaf[None])[0]
        if (scores > 0).any():
            objective = -scores[int(scores.argmax())]
        else:
            chance, targeted = network(leaf[None])[0].softmax(0), (label != 0) & mask[0]
            objective = -sum(
                2 * chance[k][targeted & (label == k)].sum() / (chance[k].sum() + (targeted & (label == k)).sum())
                for k in label[targeted].unique().tolist()
            )
        objective.backward()
        gradient = leaf.grad * mask
        change = found[-1] + radius / 4 * gradient / gradient.norm() - image
        found.append((image + change * min(1.0, radius / float(change.norm()))).clamp(0, 1))
    return found


@pytest.mark.parametrize("spatial", [(8, 8), (4, 3, 5)])
def test_ten_steps_equal_the_definition_written_down(spatial):
    network, guard = smooth_network(len(spatial)), RoughnessGuard(0.3, 0.4).eval()
    image, label = sample(batch=6, spatial=spatial)
    image = near_threshold(guard, image, torch.tensor([0.1, 0.1, 0.1, -0.02, -0.02, -0.02]))
    mask = torch.rand(image.shape, generator=torch.Generator().manual_seed(4)) > 0.2
    settings = {"radius": 0.9, "step_size": 0.225, "steps": 10, "mask": mask}
    found = selective_pgd(network, image, label, excess=guard, **settings)

    kinds = set()
    for index in range(6):
        path = iterates(network, image[index], label[index], guard, mask[index], 0.9)
        worst = [float(guard(each[None]).detach().max()) for each in path]
        targeted = (label[index] != 0) & mask[index, 0]
        wrong = [int(((network(each[None])[0].argmax(0) != label[index]) & targeted).sum()) for each in path]
        accepted = [step for step in range(11) if worst[step] <= 0]
        best = max(accepted, key=lambda step: (wrong[step], -step)) if accepted else worst.index(min(worst))
        kinds.add((worst[0] <= 0, bool(accepted), 0 < len(accepted) < 11))
        torch.testing.assert_close(found.image[index], path[best].detach())
        assert float(found.flipped[index]) == pytest.approx(wrong[best] / int(targeted.sum()))
        assert bool(found.success[index]) == (bool(accepted) and wrong[best] > wrong[0])
    # Accepted from the start and not, with steps of both sorts.
    assert {(True, True, True), (False, True, True)} <= kinds


def test_batch_of_four_equals_four_batches_of_one():
    network, guard = smooth_network(), RoughnessGuard(0.3, 0.4)
    image, label = sample(batch=4)
    image = near_threshold(guard.eval(), image, torch.tensor([0.1, 0.1, -0.02, -0.02]))
    label[1] = 0  # nothing to attack
    mask, radius = image > 0.1, torch.tensor([0.5, 0.5, 0.8, 1.6])
    together = selective_pgd(network, image, label, excess=guard, radius=radius, steps=12, mask=mask)
    for i in range(4):
        one = slice(i, i + 1)
        options = {"excess": guard, "radius": radius[one], "steps": 12, "mask": mask[one]}
        alone = selective_pgd(network, image[one], label[one], **options)
        assert_same(alone, AttackResult(*(getattr(together, name)[one] for name in FIELDS)))
    assert torch.equal(together.image[1], image[1])
    assert together.iterations.tolist() == [12, 0, 12, 12]
    assert together.success[2:].all()


class OneScore(RoughnessGuard):
    """A guard of one score, whose excess is a method."""

    def excess(self, image: Tensor) -> Tensor:
        return self(image)[:, 0]


def test_excess_may_be_a_method_and_one_score_a_vector():
    network, guard = smooth_network(), OneScore(0.3)
    image, label = sample(batch=4)
    found = selective_pgd(network, image, label, excess=guard.excess, radius=0.8, steps=12)
    assert guard.training  # in evaluation mode meanwhile: dropout would make the scores differ
    assert guard.scale.requires_grad
    guard.eval()
    options = {"radius": 0.8, "steps": 12}
    assert_same(found, selective_pgd(network, image, label, excess=lambda x: guard(x)[:, :1], **options))


def test_network_sees_accepted_samples_only():
    network = smooth_network()
    image, label = sample(batch=4)
    sizes: list[int] = []
    network.register_forward_hook(lambda module, given, logits: sizes.append(len(logits)))

    def excess(moved: Tensor) -> Tensor:  # the first two samples are never accepted
        return never(moved) * torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])

    selective_pgd(network, image, label, excess=excess, radius=0.5, steps=3)
    # All once, to know what the clean image gives; at the end, those that were never accepted.
    assert sizes == [4, 2, 2, 2, 2]


def test_norm_is_never_above_the_radius_and_zero_is_the_identity():
    image, label = sample(batch=4)
    guard, radius = RoughnessGuard().float(), torch.tensor([0.0, 0.01, 0.3, 2.0])
    found = selective_pgd(smooth_network().float(), image.float(), label, excess=guard, radius=radius, steps=8)
    assert ((found.image.double() - image.float().double()).flatten(1).norm(dim=1) <= radius).all()
    assert torch.equal(found.image[0], image[0].float())
    assert (found.norm[1:] > 0).all()
    assert found.image.min() >= 0
    assert found.image.max() <= 1


@pytest.mark.parametrize("guard", [always, never, RoughnessGuard()])
def test_only_the_mask_changes(guard):
    image, label = sample()
    mask = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(3)) > 0.5
    found = selective_pgd(smooth_network(), image, label, excess=guard, radius=0.8, steps=6, mask=mask)
    outside = ~mask.expand_as(image)
    assert torch.equal(found.image[outside], image[outside])
    assert (found.image != image).any()


def test_a_step_is_a_tenth_of_the_radius_unless_it_is_given():
    image, label = sample()
    radius = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    options = {"excess": never, "radius": radius, "steps": 1}
    torch.testing.assert_close(selective_pgd(smooth_network(), image, label, **options).norm, radius / 10)
    found = selective_pgd(smooth_network(), image, label, step_size=radius / 4, **options)
    torch.testing.assert_close(found.norm, radius / 4)


def test_a_score_at_its_threshold_is_accepted_and_never_descended():
    image, label = sample()
    options = {"radius": 0.5, "steps": 4}
    # Constants have no gradient to descend.
    found = selective_pgd(smooth_network(), image, label, excess=lambda moved: torch.zeros(len(moved)), **options)
    assert_same(found, selective_pgd(smooth_network(), image, label, excess=always, **options))
    assert found.success.any()


def test_clean_image_is_the_first_iterate():
    image, label = sample()
    network = smooth_network()
    found = selective_pgd(network, image, label, excess=always, radius=0.5, step_size=0, steps=2)
    assert torch.equal(found.image, image)
    assert not found.success.any()
    torch.testing.assert_close(found.flipped, fraction_flipped(network, image, label))


def test_network_and_guard_are_left_as_they_were_found():
    network, guard = smooth_network().train(), RoughnessGuard().train()
    network[0].bias.requires_grad_(False)
    modules = nn.ModuleList([network, guard])
    before = fingerprint(modules)
    trainable = [parameter.requires_grad for parameter in modules.parameters()]
    image, label = sample()

    found = selective_pgd(network, image, label, excess=guard, radius=0.5, steps=4)

    assert fingerprint(modules) == before
    assert all(module.training for module in modules.modules())
    assert [parameter.requires_grad for parameter in modules.parameters()] == trainable
    assert all(parameter.grad is None for parameter in modules.parameters())
    # Its dropout was off.
    assert_same(found, selective_pgd(network, image, label, excess=guard.eval(), radius=0.5, steps=4))


def test_success_is_what_the_defended_segmenter_accepts():
    torch.manual_seed(0)
    reformer, segmenter = Reformer(nn.Conv2d(1, 1, 3, padding=1)).double(), smooth_network()
    detector = ReconstructionDetector(nn.AvgPool2d(3, 1, 1)).double()
    image, _ = sample(batch=6)
    detector.threshold.fill_(float(detector.score(image).median()))
    defended = DefendedSegmenter(detector, reformer, segmenter)
    behind = nn.Sequential(reformer, segmenter)
    label = behind(image).argmax(1)
    found = selective_pgd(
        behind,
        image,
        label,
        excess=lambda moved: (detector.score(moved) / detector.threshold - 1)[:, None],
        radius=2.5,
        include_background=True,
    )
    prediction = defended(found.image).argmax(1).flatten(1)
    damaged = ((prediction != 4) & (prediction != label.flatten(1))).any(1)
    assert torch.equal(found.success, damaged)
    assert found.success.any()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_caller_may_have_switched_gradients_off(context):
    network, guard = smooth_network(), RoughnessGuard()
    with context():
        image, label = sample()
        radius = torch.tensor([0.2, 0.4, 0.8])
        found = selective_pgd(network, image, label, excess=guard, radius=radius, steps=4, mask=image > 0.1)
    image, label = sample()
    expected = selective_pgd(network, image, label, excess=guard, radius=radius.clone(), steps=4, mask=image > 0.1)
    assert_same(found, expected)


def test_inputs_are_not_modified_and_the_result_is_plain():
    image, label = sample()
    copies = [image.clone(), label.clone()]
    found = selective_pgd(
        smooth_network(), MetaTensor(image), MetaTensor(label), excess=RoughnessGuard(), radius=0.5, steps=4
    )
    assert all(torch.equal(each, copy) for each, copy in zip((image, label), copies, strict=True))
    assert not any(isinstance(getattr(found, name), MetaTensor) for name in FIELDS)
    assert not found.image.requires_grad
    again = selective_pgd(smooth_network(), image, label, excess=RoughnessGuard(), radius=0.5, steps=4)
    assert_same(found, again)


def root(image: Tensor) -> Tensor:
    """Scores whose derivative is infinite where the image is 0."""
    return 1 + image.sqrt().flatten(1)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"radius": -0.1}, "radius"),
        ({"radius": torch.ones(2)}, "radius"),
        ({"step_size": float("inf")}, "step_size"),
        ({"steps": 0}, "steps"),
        ({"bounds": (0.9, 1.0)}, "image"),
        ({"image": torch.ones(8, 8)}, "image"),
        ({"label": torch.zeros(3, 8, 8)}, "label"),
        ({"label": torch.full((3, 8, 8), 4)}, "label"),
        ({"mask": torch.ones(3, 8, 8)}, "mask"),
        ({"network": nn.AvgPool2d(2)}, "network"),
        ({"excess": lambda image: never(image)[..., None]}, "excess"),
        ({"excess": lambda image: never(image)[:1]}, "excess"),
        ({"excess": lambda image: never(image)[:, :0]}, "excess"),
        ({"excess": lambda image: never(image) * torch.nan}, "excess"),
        ({"excess": lambda image: never(image).detach()}, "excess"),
        ({"excess": lambda image: 1.0}, "excess"),
        ({"excess": root, "image": torch.zeros(3, 1, 8, 8)}, "excess"),
    ],
)
def test_argument_that_does_not_fit_is_named(changes, name):
    image, label = sample()
    network = smooth_network().to(changes.get("image", image).dtype)
    given = {"network": network, "image": image, "label": label, "excess": always, "radius": 0.5, **changes}
    with pytest.raises(InputError, match=f"{name}") as raised:
        selective_pgd(**given)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_gpu_gives_the_result_of_the_cpu():
    network, guard = smooth_network(), RoughnessGuard()
    image, label = sample()
    on_cpu = selective_pgd(network, image, label, excess=guard, radius=0.5, steps=5)
    on_gpu = selective_pgd(network.cuda(), image.cuda(), label.cuda(), excess=guard.cuda(), radius=0.5, steps=5)
    assert on_gpu.image.is_cuda
    assert_same(on_cpu, AttackResult(*(getattr(on_gpu, name).cpu() for name in FIELDS)))
