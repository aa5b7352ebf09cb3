from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage

from monai_advdefense.errors import InputError
from monai_advdefense.guard.scores.structure_shape import structure_contacts, structure_shape


def random_logits(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(2, 5, 9, 7), (1, 3, 4, 5, 6), (2, 4, 40)])
def test_area_and_centroid_equal_scipy(shape):
    logits = random_logits(*shape)
    area, centroid = structure_shape(logits)
    for sample, labels in enumerate(logits.argmax(1).numpy()):
        for index in range(shape[1]):
            assert area[sample, index] == (labels == index).sum()
            expected = ndimage.center_of_mass(labels == index)
            torch.testing.assert_close(centroid[sample, index], torch.tensor(expected, dtype=torch.float32))


def test_a_class_without_a_pixel_has_area_and_centroid_0():
    logits = random_logits(2, 4, 8, 8)
    logits[:, 2] = -50.0
    area, centroid = structure_shape(logits)
    assert (area[:, 2] == 0).all()
    assert (centroid[:, 2] == 0).all()


def test_a_prediction_that_moves_takes_its_centroids_along():
    logits = torch.zeros(1, 2, 16, 16)
    logits[0, 1, 3:7, 2:8] = 5.0
    moved = logits.roll((4, 5), (2, 3))
    (area, before), (same, after) = structure_shape(logits), structure_shape(moved)
    assert torch.equal(area, same)
    torch.testing.assert_close(after[0, 1] - before[0, 1], torch.tensor([4.0, 5.0]))


def test_values_do_not_depend_on_the_gradient_which_is_that_of_the_softmax():
    logits = random_logits(2, 3, 6, 6).double().requires_grad_()
    area, centroid = structure_shape(logits)
    plain = structure_shape(logits.detach())
    torch.testing.assert_close((area.detach(), centroid.detach()), plain)
    (gradient,) = torch.autograd.grad(area[:, 1].sum() + centroid[0, 2, 0], logits)

    other = logits.detach().clone().requires_grad_()
    probability = other.softmax(1)
    rows = torch.arange(6).double().view(-1, 1)
    middle = (probability[0, 2] * rows).sum() / probability[0, 2].sum()
    (expected,) = torch.autograd.grad(probability[:, 1].sum() + middle, other)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_logit_that_is_not_finite_spoils_its_sample_alone(value):
    logits = random_logits(3, 4, 5, 5)
    logits[1, 2, 0, 0] = value
    for numbers in structure_shape(logits):
        assert numbers.flatten(1).isnan().all(1).tolist() == [False, True, False]


def test_contacts_equal_a_loop_over_pixels():
    labels = torch.randint(0, 4, (2, 6, 5), generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(2, 4, 4, dtype=torch.int64)
    for b, i, j in torch.cartesian_prod(torch.arange(2), torch.arange(6), torch.arange(5)).tolist():
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < 6 and m < 5 and labels[b, i, j] != labels[b, k, m]:
                expected[b, labels[b, i, j], labels[b, k, m]] += 1
                expected[b, labels[b, k, m], labels[b, i, j]] += 1
    assert torch.equal(structure_contacts(labels, 4), expected)


def test_contacts_of_a_volume_and_of_a_turned_one_are_the_same():
    labels = torch.randint(0, 3, (1, 4, 5, 6), generator=torch.Generator().manual_seed(0))
    expected = structure_contacts(labels, 3)
    assert torch.equal(structure_contacts(labels.permute(0, 3, 1, 2), 3), expected)
    assert torch.equal(structure_contacts(labels.flip(1, 3), 3), expected)


def test_scripted_equals_eager():
    logits = random_logits(2, 3, 7, 6)
    torch.testing.assert_close(torch.jit.script(structure_shape)(logits), structure_shape(logits))
    labels = logits.argmax(1)
    assert torch.equal(torch.jit.script(structure_contacts)(labels, 3), structure_contacts(labels, 3))


def test_logits_without_classes_are_an_error():
    with pytest.raises(InputError, match="at least 2 classes"):
        structure_shape(torch.zeros(2, 1, 4, 4))
