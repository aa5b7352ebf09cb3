from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.predicted_dice import DicePredictor
from monai_advdefense.guard.prediction_typicality import PREDICTION_SCORES
from monai_advdefense.guard.screen import SCREEN_CAUSES, SCREEN_SCORES, Screen, suspicion_by_cause
from monai_advdefense.guard.typicality import SCORES, TYPICALITY_CAUSES, SliceScores
from tests.guard.phantom_screen import CLASSES, fitted_screen, numbers, numbers_of, phantom, predictions


@pytest.fixture(scope="module")
def screen():
    return fitted_screen()


def _spoilt(seed, spoil):
    """Phantom whose image is spoilt, while the predictions stay."""
    return spoil(phantom(seed)[0]), numbers(seed)


@pytest.mark.parametrize(
    ("cause", "spoil"),
    [
        ("smooth", lambda image: torch.nn.functional.avg_pool2d(image, 3, 1, 1) * (image > 0)),
        ("intensity", lambda image: image**2),
        ("anatomy", lambda image: image * (torch.arange(40) > 20)[:, None]),
    ],
)
def test_spoilt_images_are_not_clean_and_the_cause_is_named(screen, cause, spoil):
    found = screen(*_spoilt(40, spoil))
    assert found.verdict.verdict in ("review", "reject")
    assert found.verdict.cause == cause
    assert found.verdict.score in SCORES
    assert "slices rejected" in found.verdict.explanation
    rejected = [name for name, kept in zip(found.causes, found.accepted.tolist(), strict=True) if not kept]
    assert rejected.count(cause) > 0.6 * len(rejected)


def test_predictions_that_differ_are_an_attack_and_a_lost_structure_is_implausible(screen):
    image, label = phantom(41)
    _, reformed = predictions(41, label)
    differ = screen(image, numbers_of(reformed.roll(1, dims=1), reformed, image))
    assert (differ.verdict.verdict, differ.verdict.cause) == ("reject", "fine_pattern")
    assert differ.verdict.score == "divergence"
    lost = torch.where(torch.arange(CLASSES).view(1, -1, 1, 1) == 2, -9.0, reformed)
    erased = screen(image, numbers_of(lost, lost, image))
    assert erased.verdict.cause == "implausible"
    assert erased.verdict.score in ("plausibility", "neighbours")


def test_what_speaks_is_the_largest_score_and_the_threshold_decides(screen):
    found = screen(*_spoilt(42, lambda image: image**1.5))
    rejected = ~found.accepted
    assert 0 < int(rejected.sum()) < len(rejected)
    assert torch.equal(rejected, found.judged & (found.score > screen.threshold))
    assert torch.equal(found.score, found.scores.amax(dim=1))
    for number in range(len(rejected)):
        spoke = SCREEN_SCORES[int(found.scores[number].argmax())] if rejected[number] else ""
        assert found.spoke[number] == spoke
        assert bool(found.causes[number]) == bool(rejected[number])


def test_slices_of_little_tissue_are_not_judged_and_blank_ones_are_blank(screen):
    image, _ = phantom(43)
    image[:2] = 0
    image[1, 0, 20, 20:24] = 1.0
    gathered = numbers(43)
    gathered.divergence[0] = torch.nan
    found = screen(image, gathered)
    assert found.blank[:2].tolist() == [True, False]
    assert found.judged[:2].tolist() == [False, False]
    assert found.accepted[:2].tolist() == [True, True]
    assert found.score[:2].tolist() == [0.0, 0.0]
    assert found.verdict.judged == int(found.judged.sum())


@pytest.mark.parametrize("judged", [False, True])
def test_a_prediction_that_failed_is_never_accepted_nor_is_its_volume_clean(screen, judged):
    image, _ = phantom(44)
    number = 15
    if not judged:
        image[number] *= torch.arange(40) == 20
    gathered = numbers(44)
    gathered.divergence[number] = torch.nan
    found = screen(image, gathered)
    assert bool(found.judged[number]) == judged
    assert not found.accepted[number]
    assert found.verdict.verdict == "not_checked"
    assert found.verdict.score == found.spoke[number] == "divergence"
    assert "score divergence failed" in found.verdict.explanation


def test_a_slice_that_is_not_a_number_is_neither_blank_nor_accepted(screen):
    image, _ = phantom(44)
    image[15] = torch.nan
    found = screen(image, numbers(44))
    assert not found.blank[15]
    assert not found.accepted[15]
    assert found.verdict.verdict == "not_checked"


def test_mixed_precision_around_the_screen_changes_nothing(screen):
    volume = phantom(46)[0], numbers(46)
    expected = screen(*volume)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = screen(*volume)
    assert torch.equal(found.scores, expected.scores)


def test_a_slice_alone_is_judged(screen):
    image, label = phantom(47)
    found = screen(image[15:16], numbers_of(*(x[15:16] for x in predictions(47, label)), image[15:16]))
    assert found.score.isfinite().all()


def test_another_number_of_channels_is_refused(screen):
    image = phantom(48)[0].repeat(1, 2, 1, 1)
    with pytest.raises(InputError, match="image: expected slices of 1 channels, found 2: give"):
        screen(image, numbers(48))


def test_without_a_calibration_nothing_is_accepted_or_checked():
    found = Screen(CLASSES)(phantom(45)[0], numbers(45))
    assert not found.accepted.any()
    assert found.verdict.verdict == "not_checked"
    assert "not calibrated" in found.verdict.explanation
    assert found.dice is None


def test_dice_is_predicted_by_what_the_state_holds(screen):
    center, scale, intercept = torch.zeros(5).numpy(), torch.ones(5).numpy(), torch.full((3,), 2.0).numpy()
    other = fitted_screen()
    other.dice.store(DicePredictor(center, scale, intercept, center, (-1.0, 1.0), (-0.5, 0.5)))
    again = Screen(CLASSES)
    again.load_state_dict(other.state_dict())
    dice = again(phantom(46)[0], numbers(46)).dice
    expected = torch.tensor([2.0, 1.5, 2.5], dtype=torch.float64).sigmoid()
    torch.testing.assert_close(torch.tensor(dice.volume, dtype=torch.float64), expected, rtol=1e-6, atol=0)


def _scores(score, cause):
    table = torch.full((1, len(TYPICALITY_CAUSES)), score - 5.0)
    table[0, TYPICALITY_CAUSES.index(cause)] = score
    yes = torch.tensor([True])
    return SliceScores(torch.tensor([[score]]), table, yes, yes)


@pytest.mark.parametrize(
    ("image", "score", "other", "cause"),
    [
        (3.0, "smooth", 9.0, "smooth"),
        (3.0, "foreign", 9.0, "fine_pattern"),
        (3.0, "foreign", 0.5, "foreign"),
        (0.5, "smooth", 9.0, "fine_pattern"),
        (0.75, "smooth", 0.5, "smooth"),
        (0.5, "smooth", 0.75, "fine_pattern"),
        (-1.0, "smooth", -2.0, "smooth"),
    ],
)
def test_image_speaks_before_predictions_unless_it_names_no_fault(image, score, other, cause):
    prediction = torch.tensor([[other, other - 1, other - 2]])
    table = suspicion_by_cause(_scores(image, score), prediction, torch.tensor(1.0))
    assert CAUSES[int(table.argmax())] == cause
    assert float(table.max()) == max(image, other)


def test_names_of_scores_differ():
    assert len(set(SCREEN_SCORES)) == len(SCREEN_SCORES) == len(SCREEN_CAUSES) == len(SCORES) + len(PREDICTION_SCORES)
