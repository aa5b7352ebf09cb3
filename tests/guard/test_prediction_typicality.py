from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.prediction_typicality import (
    PREDICTION_CAUSES,
    PREDICTION_SCORES,
    TAILS,
    PredictionNumbers,
    PredictionTypicality,
    fit_prediction_typicality,
    prediction_numbers,
)
from monai_advdefense.guard.scores.neighbour_change import neighbour_area

SLICES, SIZE, CLASSES = 50, 32, 3
POSITION = torch.linspace(0, 1, SLICES)


def labels(subject: int) -> Tensor:
    """A ball in a ball, a little different by subject."""
    generator = torch.Generator().manual_seed(subject)
    grow = 1 + 0.05 * torch.randn(2, generator=generator)
    wobble = 1 + 0.01 * torch.randn(SLICES, 2, generator=generator)
    axis = torch.arange(SIZE) - SIZE / 2
    distance = (axis[:, None] ** 2 + axis**2).sqrt()
    radius = torch.sin(POSITION.clamp(0.02, 0.98) * math.pi)[:, None] * torch.tensor([13.0, 7.0]) * grow * wobble
    return (distance < radius[:, :1, None]).long() + (distance < radius[:, 1:, None]).long()


def numbers(subject: int, label: Tensor | None = None, change: float = 0.05) -> PredictionNumbers:
    generator = torch.Generator().manual_seed(1000 + subject)
    label = labels(subject) if label is None else label
    logits = 8.0 * torch.nn.functional.one_hot(label, CLASSES).movedim(-1, 1).float()
    logits = logits + 0.3 * torch.randn(logits.shape, generator=generator)
    other = logits + change * torch.randn(logits.shape, generator=generator)
    image = (labels(subject) > 0).unsqueeze(1).float()
    return prediction_numbers(other, logits, image, POSITION, image.flatten(1).sum(1).log())


def test_labels_that_are_known_change_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    logits, other = (4 * torch.randn(2, CLASSES, SIZE, SIZE, generator=generator) for _ in range(2))
    image, place = torch.rand(2, 1, SIZE, SIZE, generator=generator), torch.tensor([0.4, 0.5])
    found = prediction_numbers(other, logits, image, place, place)
    given = prediction_numbers(other, logits, image, place, place, labels=logits.argmax(dim=1))
    for field in fields(PredictionNumbers):
        assert torch.equal(getattr(found, field.name), getattr(given, field.name)), field.name
    # They are used: with those of the other prediction each structure lies elsewhere.
    swapped = prediction_numbers(other, logits, image, place, place, labels=other.argmax(dim=1))
    assert not torch.equal(swapped.centroid, found.centroid)
    assert not torch.equal(swapped.count, found.count)
    assert not torch.equal(swapped.entropy, found.entropy)


JUDGED = torch.arange(SLICES) % (SLICES - 1) > 1


@pytest.fixture(scope="module")
def fitted():
    subjects = [str(subject // 2) for subject in range(24)]
    return fit_prediction_typicality([numbers(subject) for subject in range(24)], [JUDGED] * 24, subjects)


def test_every_score_has_a_known_cause():
    assert len(PREDICTION_SCORES) == len(PREDICTION_CAUSES)
    assert set(PREDICTION_CAUSES) <= set(CAUSES)


def test_each_score_exceeds_1_on_its_share_of_clean_slices_and_on_few_of_new_ones(fitted):
    model, scores = fitted
    clean = torch.cat([found[JUDGED] for found in scores])
    torch.testing.assert_close((clean > 1).float().mean(0), 1 - torch.tensor(TAILS), atol=0.003, rtol=0)
    new = torch.cat([model(numbers(subject))[JUDGED] for subject in range(100, 110)])
    assert ((new > 1).float().mean(0) < 0.12).all()


def test_each_fault_is_seen_by_its_score(fitted):
    model, _ = fitted
    middle, label = slice(15, 35), labels(200)
    assert (model(numbers(200, change=0.5))[middle, 0] > 1).all()
    assert (model(numbers(200, label.clamp_max(1)))[middle, 1] > 1).all()
    one = label.clone()
    one[25].clamp_(max=1)
    found = model(numbers(200, one))
    assert found[:, 2].argmax() == 25
    assert found[25, 2] > 1


def test_slices_scored_beside_given_neighbours_are_as_in_the_volume(fitted):
    model, _ = fitted
    whole = numbers(201)
    rows = slice(10, 20)
    torch.testing.assert_close(model(whole[rows], neighbour_area(whole.area)[rows]), model(whole)[rows])


def test_batches_joined_are_the_volume():
    whole = numbers(202)
    joined = PredictionNumbers.joined([whole[:20], whole[20:]])
    for name, value in vars(whole).items():
        assert torch.equal(getattr(joined, name), value)


def test_a_prediction_that_is_not_finite_makes_all_scores_of_its_slice_nan(fitted):
    label = 8.0 * torch.nn.functional.one_hot(labels(0), CLASSES).movedim(-1, 1).float()
    spoilt = label.clone()
    spoilt[25, 0, 0, 0] = math.nan
    image = torch.ones(SLICES, 1, SIZE, SIZE)
    found = fitted[0](prediction_numbers(label, spoilt, image, POSITION, torch.full((SLICES,), 6.0)))
    assert found[25].isnan().all()
    assert found[[24, 26], 2].isnan().all()
    assert found[:, :2].isnan().all(1).sum() == 1


def test_the_state_dict_holds_the_model(fitted):
    model, _ = fitted
    other = type(model)(CLASSES)
    assert other(numbers(0)).isnan().all()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(numbers(0)), model(numbers(0)))


def test_what_cannot_be_fitted_is_an_error():
    volumes = [numbers(subject) for subject in range(5)]
    with pytest.raises(InputError, match="one of each for each volume"):
        fit_prediction_typicality(volumes, [JUDGED] * 4, list("abcde"))
    with pytest.raises(CalibrationError, match="at least 5, found 4"):
        fit_prediction_typicality(volumes, [JUDGED] * 5, list("aabcd"))


def test_a_network_of_one_class_has_no_structure_to_judge():
    with pytest.raises(InputError, match="num_classes: expected 2 or more, background included, found 1"):
        PredictionTypicality(1)
