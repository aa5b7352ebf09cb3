from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from monai_advdefense.attacks.targets import all_background, dilate_structure, random_derangement, swap_most_frequent
from monai_advdefense.errors import InputError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blocks(*spatial: int, classes: int = 5, batch: int = 4) -> torch.Tensor:
    return torch.randint(classes, (batch, *spatial), generator=seeded(7))


BUILDERS = {
    "background": all_background,
    "swap": swap_most_frequent,
    "dilate": lambda label: dilate_structure(label, generator=seeded(), iterations=1),
    "derangement": lambda label: random_derangement(label, 5, generator=seeded()),
}


@pytest.mark.parametrize("builder", BUILDERS.values(), ids=BUILDERS)
@pytest.mark.parametrize("spatial", [(6, 7), (3, 4, 5)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_out_of_place_and_reproducible(builder, spatial, dtype):
    label = blocks(*spatial).to(dtype)
    copy = label.clone()
    target = builder(label)
    assert torch.equal(label, copy)
    assert target.data_ptr() != label.data_ptr()
    assert (target.shape, target.dtype) == (label.shape, dtype)
    assert torch.equal(target, builder(label))
    assert (target != label).any()


@pytest.mark.parametrize("builder", BUILDERS.values(), ids=BUILDERS)
def test_float_label_is_refused(builder):
    with pytest.raises(InputError, match="label"):
        builder(blocks(4, 4).float())


def test_background_is_zero_everywhere():
    assert not all_background(blocks(4, 4)).any()


@pytest.mark.parametrize(
    ("label", "count", "target"),
    [
        ([0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4], 3, [0, 0, 0, 0, 1, 4, 4, 2, 2, 2, 3, 3, 3, 3]),
        ([0, 0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4], 2, [0, 0, 0, 0, 1, 2, 2, 4, 4, 4, 3, 3, 3, 3]),
        ([9, 9, 0, 4], 3, [4, 4, 0, 9]),  # two classes only
        ([2, 2, 2, 0], 3, [2, 2, 2, 0]),  # nothing to swap with
        ([0, 0, 0, 0], 3, [0, 0, 0, 0]),
        ([5, 3, 0, 1], 2, [5, 1, 0, 3]),  # equal frequencies: lower classes first
    ],
)
def test_most_frequent_structures_change_places(label, count, target):
    found = swap_most_frequent(torch.tensor([label]), count=count)
    assert found.tolist() == [target]


def test_swap_looks_at_each_sample_alone():
    label = torch.tensor([[1, 1, 2, 3], [3, 3, 2, 2]])
    assert swap_most_frequent(label, count=2).tolist() == [[2, 2, 1, 3], [2, 2, 3, 3]]


@pytest.mark.parametrize("spatial", [(20, 17), (9, 8, 10)])
@pytest.mark.parametrize("iterations", [1, 6])
def test_dilation_equals_scipy_and_the_city_block_distance(spatial, iterations):
    label = torch.zeros(1, *spatial, dtype=torch.int64)
    label[(0, *(side // 2 for side in spatial))] = 3
    label[(0, *(side // 2 + 1 for side in spatial))] = 3
    target = dilate_structure(label, generator=seeded(), iterations=iterations)[0].numpy()

    points = np.argwhere(label[0].numpy() == 3)
    grid = np.stack(np.meshgrid(*map(np.arange, spatial), indexing="ij"), -1)
    near = np.abs(grid[..., None, :] - points).sum(-1).min(-1) <= iterations
    assert np.array_equal(target == 3, near)
    assert np.array_equal(target == 3, binary_dilation(label[0].numpy() == 3, iterations=iterations))


def test_one_present_structure_grows_and_the_rest_stays():
    label = blocks(12, 12, classes=6, batch=8) * (blocks(12, 12, classes=2, batch=8) == 0)
    target = dilate_structure(label, generator=seeded(), iterations=2)
    for before, after in zip(label, target, strict=True):
        grown = after[after != before].unique()
        assert len(grown) == 1
        assert grown.item() in before[before > 0].unique()
        expected = np.where(binary_dilation((before == grown).numpy(), iterations=2), grown.numpy(), before.numpy())
        assert np.array_equal(after.numpy(), expected)


def test_every_present_structure_is_drawn():
    label = torch.zeros(200, 9, dtype=torch.int64)
    label[:, 1], label[:, 4], label[:, 7] = 2, 5, 9
    target = dilate_structure(label, generator=seeded(), iterations=1)
    drawn = Counter(sample[sample != before][0].item() for sample, before in zip(target, label, strict=True))
    assert set(drawn) == {2, 5, 9}
    assert min(drawn.values()) > 40


def test_sample_without_foreground_does_not_change():
    label = torch.zeros(2, 5, 5, dtype=torch.int64)
    assert torch.equal(dilate_structure(label, generator=seeded()), label)


@pytest.mark.parametrize("num_classes", [2, 3, 28])
def test_derangement_is_a_permutation_without_fixed_point(num_classes):
    label = torch.arange(num_classes).repeat(60, 1)
    target = random_derangement(label, num_classes, generator=seeded())
    assert (target != label).all()
    assert torch.equal(target.sort(1).values, label)


def test_derangements_are_drawn_uniformly_per_sample():
    target = random_derangement(torch.arange(4).repeat(1800, 1), 4, generator=seeded())
    counts = Counter(tuple(row) for row in target.tolist())
    assert len(counts) == 9  # the derangements of four things
    assert all(140 < count < 260 for count in counts.values())


@pytest.mark.parametrize(
    "builder",
    [
        lambda label, generator: dilate_structure(label, generator=generator, iterations=2),
        lambda label, generator: random_derangement(label, 5, generator=generator),
    ],
)
def test_batch_draws_what_its_samples_draw_in_turn(builder):
    label = blocks(8, 8, batch=6)
    label[2] = 0
    generator = seeded(3)
    in_turn = torch.cat([builder(sample[None], generator) for sample in label])
    assert torch.equal(builder(label, seeded(3)), in_turn)
    assert not torch.equal(builder(label, seeded(4)), in_turn)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: swap_most_frequent(blocks(4, 4), count=1), "count"),
        (lambda: dilate_structure(blocks(4, 4), generator=seeded(), iterations=0), "iterations"),
        (lambda: random_derangement(blocks(4, 4), 1, generator=seeded()), "num_classes"),
        (lambda: random_derangement(blocks(4, 4), 4, generator=seeded()), "label"),
        (lambda: all_background(blocks(4, 4) - 1), "label"),
    ],
)
def test_argument_that_does_not_fit_is_named(call, name):
    with pytest.raises(InputError, match=f"{name}"):
        call()


@pytest.mark.parametrize("builder", BUILDERS.values(), ids=BUILDERS)
def test_an_empty_batch_stays_empty(builder):
    label = torch.zeros(0, 4, 5, dtype=torch.int64)
    assert builder(label).shape == label.shape
