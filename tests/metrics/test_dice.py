from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.metrics import compute_dice
from monai.networks.utils import one_hot

from monai_advdefense.errors import InputError
from monai_advdefense.metrics import dice_from_counts, dice_per_class, mean_dice, overlap_counts, soft_dice

CLASSES = 7


def _maps(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, CLASSES, shape, generator=generator)
    prediction = torch.where(torch.rand(shape, generator=generator) < 0.6, label, label.flip(-1))
    # One class is nowhere, one only in the label and one only in the prediction of the first sample.
    label[0][label[0] >= 4] = 0
    prediction[0][prediction[0] >= 4] = 1
    label[0].flatten()[:5] = 4
    prediction[0].flatten()[5:9] = 5
    return prediction, label


@pytest.mark.parametrize("shape", [(3, 16, 12), (2, 6, 7, 8), (1, 40)])
def test_dice_equals_monai_where_the_label_has_the_class(shape):
    prediction, label = _maps(*shape)
    ours = dice_per_class(prediction, label, CLASSES)
    theirs = compute_dice(
        one_hot(prediction[:, None], CLASSES), one_hot(label[:, None], CLASSES), include_background=False
    )
    present = ~theirs.isnan()
    assert ours.shape == (shape[0], CLASSES - 1)
    assert present.sum() >= 4
    torch.testing.assert_close(ours[present], theirs[present].double(), atol=1e-6, rtol=0)


def test_rule_for_absent_classes():
    prediction, label = _maps(2, 16, 16)
    first = dice_per_class(prediction, label, CLASSES)[0]
    assert first[3] == 0  # in the label only
    assert first[4] == 0  # in the prediction only
    assert math.isnan(first[5])  # in neither
    assert mean_dice(prediction, label, CLASSES)[0] == first[:5].mean()


def test_mean_of_a_sample_without_foreground_is_undefined_and_an_invented_structure_is_zero():
    empty = torch.zeros(1, 4, 4, dtype=torch.long)
    invented = empty.clone()
    invented[0, 0, 0] = 2
    assert math.isnan(mean_dice(empty, empty, 3))
    assert mean_dice(invented, empty, 3) == 0


def test_counts_of_slices_add_up_to_those_of_the_volume():
    prediction, label = _maps(6, 9, 9)
    pooled = dice_from_counts(overlap_counts(prediction, label, CLASSES).sum(dim=0))
    torch.testing.assert_close(pooled[1:], dice_per_class(prediction[None], label[None], CLASSES)[0], equal_nan=True)


def test_counts_are_intersection_prediction_and_label():
    prediction, label = _maps(2, 9, 9)
    counts = overlap_counts(prediction, label, CLASSES)
    for sample in range(2):
        for k in range(CLASSES):
            p, y = prediction[sample] == k, label[sample] == k
            assert counts[sample, k].tolist() == [int((p & y).sum()), int(p.sum()), int(y.sum())]


def test_counts_of_each_sample_do_not_depend_on_its_neighbors():
    prediction, label = _maps(4, 10, 10)
    single = [overlap_counts(p[None], y[None], CLASSES) for p, y in zip(prediction, label, strict=True)]
    assert torch.equal(overlap_counts(prediction, label, CLASSES), torch.cat(single))


def test_float_labels_and_meta_tensors_count_as_integers():
    prediction, label = _maps(2, 8, 8)
    counts = overlap_counts(MetaTensor(prediction.float()), label.to(torch.uint8), CLASSES)
    assert type(counts) is torch.Tensor
    assert torch.equal(counts, overlap_counts(prediction, label, CLASSES))


def test_no_samples_give_no_counts():
    nothing = torch.zeros(0, 8, 8, dtype=torch.long)
    assert overlap_counts(nothing, nothing, 3).shape == (0, 3, 3)
    assert torch.isnan(dice_from_counts(overlap_counts(nothing, nothing, 3).sum(dim=0))).all()


def test_a_rejected_class_can_be_counted_and_left_out():
    prediction, label = _maps(2, 8, 8)
    prediction[1] = CLASSES
    dice = dice_from_counts(overlap_counts(prediction, label, CLASSES + 1))[:, 1:CLASSES]
    assert torch.equal(dice[1][~dice[1].isnan()], torch.zeros(int((label[1].unique() > 0).sum()), dtype=torch.float64))


@pytest.mark.parametrize("which", ["prediction", "label"])
def test_values_that_are_no_class_are_errors(which):
    for value, message in [(3.0, "classes 0 to 2, found 0 to 3"), (-1.0, "found -1 to 0"), (0.5, "whole numbers")]:
        wrong = torch.zeros(1, 4, 4)
        wrong[0, 1, 1] = value
        maps = {"prediction": torch.zeros(1, 4, 4), "label": torch.zeros(1, 4, 4), which: wrong}
        with pytest.raises(InputError, match=f"{which}: .*{message}"):
            overlap_counts(**maps, num_classes=3)
    with pytest.raises(InputError, match="whole numbers, found fractions or NaN"):
        overlap_counts(torch.full((1, 4), math.nan), torch.zeros(1, 4), 3)


def test_shapes_that_differ_are_an_error():
    with pytest.raises(InputError, match=r"found \(1, 1, 4, 4\) and \(1, 4, 4\)"):
        dice_per_class(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4), 3)


def test_soft_dice_equals_its_formula():
    generator = np.random.default_rng(0)
    label = generator.integers(0, 3, (2, 5, 6))
    logits = generator.normal(size=(2, 4, 5, 6))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [
        np.mean(
            [
                (2 * p[b, c][label[b] == c].sum() + 1) / (p[b, c].sum() + (label[b] == c).sum() + 1)
                for c in range(4)  # class 3 is absent
            ]
        )
        for b in range(2)
    ]
    result = soft_dice(torch.as_tensor(p), torch.as_tensor(label))
    torch.testing.assert_close(result, torch.tensor(expected), atol=1e-12, rtol=0)


def test_soft_dice_of_the_truth_is_one_and_absent_classes_count_as_one():
    label = torch.zeros(1, 8, 8, dtype=torch.long)
    truth = one_hot(label[:, None], 28)
    assert soft_dice(truth, label).item() == 1
    # All wrong for two classes, yet the 26 absent ones keep the figure high.
    wrong = truth.roll(1, dims=1)
    assert soft_dice(wrong, label).item() == pytest.approx((26 + 2 / 65) / 28)


def test_soft_dice_refuses_logits_and_shapes_that_do_not_fit():
    label = torch.zeros(1, 8, 8, dtype=torch.long)
    with pytest.raises(InputError, match="apply softmax first"):
        soft_dice(torch.randn(1, 3, 8, 8), label)
    with pytest.raises(InputError, match="apply softmax first"):
        soft_dice(torch.full((1, 3, 8, 8), math.nan), label)
    with pytest.raises(InputError, match=r"label: expected shape \(1, 8, 8\)"):
        soft_dice(torch.full((1, 2, 8, 8), 0.5), label[:, None])
    with pytest.raises(InputError, match="label: expected classes 0 to 1, found 5 to 5"):
        soft_dice(torch.full((1, 2, 8, 8), 0.5), label + 5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_soft_dice_in_half_precision_counts_more_pixels_than_it_can_hold(dtype):
    """Twice the background's pixels are beyond float16."""
    label = torch.zeros(1, 200, 200, dtype=torch.int64)
    label[:, :20] = 1
    probabilities = torch.stack([1 - 0.9375 * label.float(), 0.9375 * label.float()], dim=1)
    expected = soft_dice(probabilities.double(), label)
    torch.testing.assert_close(soft_dice(probabilities.to(dtype), label).double(), expected, rtol=1e-4, atol=0)
