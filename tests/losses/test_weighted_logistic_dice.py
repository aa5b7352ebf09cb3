import itertools

import numpy as np
import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.losses import (
    WeightedLogisticDiceLoss,
    class_boundary,
    median_frequency_weights,
    weighted_logistic_dice_loss,
)

SHAPES = [(2, 4, 5, 3), (2, 4, 3, 4, 2)]
FREQUENCIES = [50.0, 7.0, 20.0, 4.0]


def _case(shape):
    """Logits and labels of 4 classes, the last of them without a pixel."""
    random = np.random.default_rng(0)
    return random.normal(size=shape), random.integers(0, 3, (shape[0], *shape[2:]))


def _touches_another_class(label, index):
    for axis, step in itertools.product(range(1, label.ndim), (-1, 1)):
        neighbor = list(index)
        neighbor[axis] += step
        if 0 <= neighbor[axis] < label.shape[axis] and label[tuple(neighbor)] != label[index]:
            return True
    return False


def _naive_loss(logits, label, class_weights, boundary_weight, reduction):
    """The formula, pixel by pixel and class by class."""
    classes = logits.shape[1]
    logistic, products, squares = 0.0, np.zeros(classes), np.zeros(classes)
    for index in np.ndindex(label.shape):
        vector = logits[(index[0], slice(None), *index[1:])]
        probability = np.exp(vector) / np.exp(vector).sum()
        weight = class_weights[label[index]] + boundary_weight * _touches_another_class(label, index)
        for number in range(classes):
            one_hot = float(label[index] == number)
            logistic -= weight * one_hot * np.log(probability[number])
            products[number] += probability[number] * one_hot
            squares[number] += probability[number] ** 2 + one_hot**2
    if reduction == "mean":
        logistic /= label.size
    return logistic - np.mean(2 * products / squares)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("boundary_weight", [0.0, 3.5])
def test_loss_equals_the_formula(shape, reduction, boundary_weight):
    logits, label = _case(shape)
    weights = np.array([0.3, 2.0, 1.0, 5.0])
    loss = weighted_logistic_dice_loss(
        torch.as_tensor(logits),
        torch.as_tensor(label),
        class_weights=torch.as_tensor(weights),
        boundary_weight=boundary_weight,
        reduction=reduction,
    )
    assert loss.item() == pytest.approx(_naive_loss(logits, label, weights, boundary_weight, reduction), rel=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_counts_more_pixels_than_it_can_hold(dtype):
    logits = torch.randn(2, 3, 192, 192, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    label = torch.zeros(2, 192, 192, dtype=torch.long)  # 73728 pixels of one class
    loss = weighted_logistic_dice_loss(logits, label)
    torch.testing.assert_close(loss, weighted_logistic_dice_loss(logits.float(), label))
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 4, 3, 5)])
def test_boundary_holds_both_sides_and_does_not_wrap(shape):
    label = np.random.default_rng(1).integers(0, 2, shape)
    label[0] = 0
    label[0, -1] = 1
    expected = [_touches_another_class(label, index) for index in np.ndindex(shape)]
    np.testing.assert_array_equal(class_boundary(torch.as_tensor(label)).numpy(), np.reshape(expected, shape))


@pytest.mark.parametrize(
    "frequencies", [[8.0, 2.0, 1.0], [8.0, 3.0, 2.0, 1.0], [5.0], [0.5, 0.1, 0.3, 0.05, 0.04, 0.01]]
)
def test_weights_are_of_the_median_frequency(frequencies):
    weights, boundary = median_frequency_weights(torch.tensor(frequencies, dtype=torch.float64))
    np.testing.assert_allclose(weights.numpy(), np.median(frequencies) / frequencies)
    assert boundary == pytest.approx(2 * np.median(frequencies) / np.min(frequencies))


def test_whole_counts_give_broken_weights_too():
    weights, boundary = median_frequency_weights(torch.tensor([8, 3, 2, 1]))
    assert weights.tolist() == pytest.approx([0.3125, 2.5 / 3, 1.25, 2.5])
    assert boundary == 5


@pytest.mark.parametrize(("frequencies", "missing"), [([1.0, 0.0, -1.0], "1, 2"), ([float("nan"), 1.0], "0")])
def test_a_class_that_does_not_occur_is_refused(frequencies, missing):
    with pytest.raises(InputError, match=rf"found none for classes \[{missing}\]"):
        median_frequency_weights(torch.tensor(frequencies))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_module_takes_its_weights_from_the_frequencies(reduction):
    logits, label = _case(SHAPES[0])
    weights = np.median(FREQUENCIES) / np.array(FREQUENCIES)
    omega = 2 * np.median(FREQUENCIES) / np.min(FREQUENCIES)
    module = WeightedLogisticDiceLoss(FREQUENCIES, reduction=reduction)
    with_channel = module(torch.as_tensor(logits), torch.as_tensor(label[:, None]).float())
    assert with_channel.item() == pytest.approx(_naive_loss(logits, label, weights, omega, reduction), rel=1e-6)
    assert module(torch.as_tensor(logits), torch.as_tensor(label)) == with_channel
    plain = WeightedLogisticDiceLoss(FREQUENCIES, boundary_weight=0.0, reduction=reduction)
    assert plain(torch.as_tensor(logits), torch.as_tensor(label)).item() == pytest.approx(
        _naive_loss(logits, label, weights, 0, reduction), rel=1e-6
    )


def test_module_without_frequencies_weighs_all_alike_and_stores_nothing():
    logits, label = _case(SHAPES[0])
    module = WeightedLogisticDiceLoss()
    loss = module(torch.as_tensor(logits), torch.as_tensor(label))
    assert loss.item() == pytest.approx(_naive_loss(logits, label, np.ones(4), 0, "mean"))
    assert not WeightedLogisticDiceLoss(FREQUENCIES).state_dict()


def test_perfect_prediction_has_no_logistic_loss_and_full_dice():
    _, label = _case(SHAPES[0])
    logits = 100 * torch.nn.functional.one_hot(torch.as_tensor(label), 4).movedim(-1, 1).float()
    # Three of four classes occur; the absent one counts as Dice 0.
    assert weighted_logistic_dice_loss(logits, torch.as_tensor(label)).item() == pytest.approx(-0.75)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_absent_class_gives_finite_loss_and_gradient(dtype):
    label = torch.zeros(1, 4, 4, dtype=torch.long)
    logits = torch.zeros(1, 3, 4, 4, dtype=dtype)
    logits[:, 0], logits[:, 2] = 1000, -1000
    logits.requires_grad_()
    loss = weighted_logistic_dice_loss(logits, label)
    loss.backward()
    assert loss.item() == pytest.approx(-1 / 3)
    assert torch.isfinite(logits.grad).all()


def test_gradient_equals_finite_differences():
    logits, label = (torch.as_tensor(array) for array in _case((2, 4, 2, 3)))
    weights = torch.tensor([0.3, 2.0, 1.0, 5.0], dtype=torch.float64)

    def loss(values):
        return weighted_logistic_dice_loss(values, label, class_weights=weights, boundary_weight=2.0)

    assert torch.autograd.gradcheck(loss, logits.requires_grad_())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduction": "none"}, "reduction: expected 'mean' or 'sum', found 'none'"),
        ({"label": torch.zeros(2, 1, 5, 3, dtype=torch.long)}, r"label: expected shape \(2, 5, 3\)"),
        ({"class_weights": torch.ones(5)}, "class_weights: expected one for each of 4 classes"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    arguments = {"label": torch.zeros(2, 5, 3, dtype=torch.long), **options}
    with pytest.raises(InputError, match=message):
        weighted_logistic_dice_loss(torch.zeros(2, 4, 5, 3), **arguments)


@pytest.mark.parametrize(("change", "message"), [(0.6, "whole numbers"), (9, "classes 0 to 2")])
def test_labels_that_are_no_class_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        WeightedLogisticDiceLoss()(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4) + change)


@pytest.mark.parametrize("weight", [-5.0, float("nan"), float("inf")])
def test_a_boundary_weight_that_makes_no_loss_is_refused(weight):
    with pytest.raises(InputError, match="boundary_weight"):
        WeightedLogisticDiceLoss(boundary_weight=weight)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_labels_of_any_type_give_the_same_loss(dtype):
    random = torch.Generator().manual_seed(0)
    logits, label = torch.randn(2, 3, 5, 6, generator=random), torch.randint(3, (2, 5, 6), generator=random)
    assert weighted_logistic_dice_loss(logits, label.to(dtype)) == weighted_logistic_dice_loss(logits, label)
