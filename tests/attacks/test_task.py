from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from monai_advdefense.attacks import composed_attack, dag, fgsm, ladder, pgd, selective_pgd, square, worst_case
from monai_advdefense.attacks.task import Outputs, make_task
from monai_advdefense.errors import InputError


def pushed(network, image, label, **options):
    """DAG to the background, or from it."""
    return dag(network, image, label, target=(torch.as_tensor(label) == 0).long(), step_size=0.3, steps=4, **options)


ATTACKS = {
    "dag": pushed,
    "pgd": partial(pgd, radius=0.6, steps=3, step_size=0.3),
    "fgsm": partial(fgsm, epsilon=0.05),
    "selective_pgd": partial(selective_pgd, excess=lambda image: image.flatten(1).sum(1) - 1e3, radius=0.6, steps=3),
    "composed": partial(composed_attack, budget=0.05, n_steps=3),
}


def case(channels: int = 1) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, channels, 3, padding=1)).double()
    image = torch.rand(3, 1, 9, 8, dtype=torch.float64)
    with torch.no_grad():  # half of the pixels are above 0
        network[2].bias -= network(image).movedim(1, 0).flatten(1).median(1).values
    return network, image, (network(image)[:, -1] > network(image)[:, 0] * (channels > 1)).long()


class Wrapped(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, list[Tensor]]:
        return {"seg": [self.network(image), torch.zeros(1)]}


class TwoClasses(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits = self.network(image)
        return torch.cat([torch.zeros_like(logits), logits], 1)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_sigmoid_is_attacked_as_the_softmax_that_it_is(attack):
    network, image, label = case()
    softmax = attack(TwoClasses(network), image, label)
    sigmoid = attack(network, image, label, activation="sigmoid")
    torch.testing.assert_close(sigmoid.image, softmax.image)
    assert torch.equal(sigmoid.flipped, softmax.flipped)
    assert not torch.equal(sigmoid.image, image)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_several_structures_are_pushed_at_once(attack):
    network, image, _ = case(channels=2)
    label = (network(image) > 0).long()
    found = attack(network, image, label, activation="sigmoid")
    targeted = label == 1
    lost = (targeted & (network(found.image) <= 0)).flatten(1).sum(1) / targeted.flatten(1).sum(1)
    torch.testing.assert_close(found.flipped.double(), lost.double(), rtol=1e-5, atol=1e-6)
    assert (found.norm > 0).all()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_logits_are_picked_from_the_output(attack):
    network, image, label = case(channels=2)
    plain = attack(network, image, label)
    picked = attack(Wrapped(network), image, label, logits_of=lambda output: output["seg"][0])
    assert torch.equal(plain.image, picked.image)
    with pytest.raises(InputError, match="network: expected logits as one tensor, found a dict: give logits_of"):
        attack(Wrapped(network), image, label)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_ignored_pixels_neither_count_nor_steer(attack):
    network, image, label = case(channels=2)
    label[:, :4] = 255
    found = attack(network, image, label, ignore_index=255)
    # The lowest ignored rows are 3 and more pixels away from all others: the network sees nothing of them there.
    assert torch.equal(found.image[:, :, 0], image[:, :, 0])
    targeted = label == 1
    lost = (targeted & (network(found.image).argmax(1) != 1)).flatten(1).sum(1) / targeted.flatten(1).sum(1)
    torch.testing.assert_close(found.flipped.double(), lost.double(), rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="classes below 2, the channels of the logits, found 255"):
        attack(network, image, label)


def test_rows_of_a_task_are_structures_and_its_pixels_those_of_images():
    label = torch.tensor([[[[1, 0], [0, 0]], [[1, 1], [255, 0]]]])  # (B, L, H, W)
    outputs = Outputs("sigmoid", None, 255)
    network = nn.Conv2d(1, 2, 1)
    options = {"mask": None, "outputs": outputs}
    task = make_task(network, torch.rand(1, 1, 2, 2), label, include_background=False, **options)
    assert task.pixels.tolist() == [3]
    assert task.targets.tolist() == [[[1, -100], [-100, -100]], [[1, 1], [-100, -100]]]
    everything = make_task(network, torch.rand(1, 1, 2, 2), label, include_background=True, **options)
    assert everything.pixels.tolist() == [7]
    logits = everything.logits(torch.rand(1, 1, 2, 2))
    assert logits.shape == (2, 2, 2, 2)
    assert logits[1, :, 1, 0].tolist() == [0, -1e4]


def test_a_selected_task_is_that_of_the_images_alone():
    network, image, label = case(channels=2)
    options = {"mask": image > 0.2, "include_background": True, "outputs": Outputs()}
    whole = make_task(network, image, label, **options)
    part = whole.select(torch.tensor([True, False, True]))
    alone = make_task(network, image[::2], label[::2], **{**options, "mask": image[::2] > 0.2})
    assert torch.equal(part.targets, alone.targets)
    assert torch.equal(part.label, alone.label)
    assert part.pixels.tolist() == alone.pixels.tolist()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32])
@pytest.mark.parametrize("several", [False, True])
def test_ignored_pixels_of_every_integer_type_are_those_of_int64(dtype, several):
    network, image, label = case(channels=2)
    label = torch.stack([label, 1 - label], 1) if several else label
    label[..., 0] = 255
    outputs = Outputs("sigmoid" if several else "softmax", None, 255)
    options = {"mask": None, "include_background": True, "outputs": outputs}
    expected = make_task(network, image, label, **options)
    found = make_task(network, image, label.to(dtype), **options)
    assert torch.equal(found.targets, expected.targets)
    assert (found.targets[..., 0] == -100).all()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": torch.ones(3, 9, 8, dtype=torch.long).numpy()}, "label: expected a tensor, found a ndarray"),
        (
            {"label": torch.ones(3, 2, 9, 8, dtype=torch.long)},
            r"one class index per pixel.* argmax\(1\) of",
        ),
        ({"image": torch.rand(3, 1, 9, 8).double().numpy()}, "image: expected a tensor, found a ndarray"),
        ({"image": torch.rand(3, 1, 9, 8)}, "network: expected one that takes images of .* torch.float32, found"),
        (
            {"image": torch.rand(3, 2, 9, 8).double()},
            "network: expected one that takes .*, found Given",
        ),
        ({"image": torch.rand(3, 1, 9, 8, 7).double()}, r"label: expected shape \(3, 9, 8, 7\)"),
        ({"mask": torch.full((3, 1, 9, 8), torch.nan)}, "mask: expected true or false for each pixel, found NaN"),
        ({"bounds": (0.0, 0.5, 1.0)}, "bounds: expected"),
        ({"ignore_index": "255"}, "ignore_index: expected a whole number or None, found '255'"),
    ],
)
def test_what_does_not_fit_is_named_on_one_line(attack, change, message):
    network, image, label = case(channels=2)
    given = {"image": image, "label": label, **change}
    with pytest.raises(InputError, match=message) as raised:
        attack(network, given.pop("image"), given.pop("label"), **given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.ones(3, 2, 9, 8, dtype=torch.bool), "label: expected .* of an integer type, found .* torch.bool"),
        (torch.ones(3, 0, 9, 8, dtype=torch.long), r"label: expected shape \(3, 1, 9, 8\), .* found \(3, 0, 9, 8\)"),
        (torch.full((3, 2, 9, 8), 255), "label: expected 0 and 1 for a sigmoid, found 255: .*, or ignore_index"),
    ],
)
def test_labels_of_structures_that_do_not_fit_are_named(label, message):
    network, image, _ = case(channels=2)
    options = {"mask": None, "include_background": False, "outputs": Outputs("sigmoid")}
    with pytest.raises(InputError, match=message):
        make_task(network, image, label, **options)


BATCHES = {
    **ATTACKS,
    "pgd from a random point": partial(ATTACKS["pgd"], generator=torch.Generator()),
    "selective_pgd from a random point": partial(ATTACKS["selective_pgd"], generator=torch.Generator()),
    "square": partial(square, budget=0.1, n_queries=3),
    "worst_case": partial(worst_case, budget=0.1, attacks={"composed": composed_attack}),
    "ladder": lambda *batch: ladder(*batch, attack=composed_attack, budgets=[0.1, 0.2])[1],
}


@pytest.mark.parametrize("attack", BATCHES.values(), ids=BATCHES)
def test_of_no_images_there_are_no_results(attack):
    network, image, label = case(channels=2)
    assert attack(network, image[:0], label[:0]).image.shape == (0, 1, 9, 8)


def test_logits_of_whole_numbers_count_for_attacks_without_gradients():
    network, image, label = case(channels=2)

    class Rounded(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return (1000 * network(image)).round().long()

    assert square(Rounded(), image, label, budget=0.3, n_queries=5).flipped.max() > 0
