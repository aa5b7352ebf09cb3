from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.predicted_dice import dice_features, fit_dice_predictor

STRUCTURES = 6


def cohort(subjects, each=4, seed=0):
    """Volumes whose Dice falls with two features, differs by structure, subject and chance."""
    generator = np.random.default_rng(seed)
    names = np.repeat([str(i) for i in range(subjects)], each)
    features = generator.normal(size=(len(names), STRUCTURES, 3)) + generator.normal(size=(len(names), 1, 3))
    subject = np.repeat(generator.normal(size=(subjects, 1)), each, axis=0)
    logit = 1.5 + 0.3 * np.arange(STRUCTURES) - features[..., 0] - 0.5 * features[..., 1] + 0.3 * subject
    logit = logit + 0.3 * generator.normal(size=logit.shape)
    return features, 1 / (1 + np.exp(-logit)), names


@pytest.fixture(scope="module")
def predictor():
    return fit_dice_predictor(*cohort(40))


def test_predicted_dice_follows_the_dice_of_new_subjects(predictor):
    features, dice, _ = cohort(30, seed=1)
    found = np.stack([predictor.predict(item).structures[:, 0] for item in features])
    assert np.corrcoef(found.ravel(), dice.ravel())[0, 1] > 0.95
    assert abs((found - dice).mean()) < 0.02


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_intervals_hold_the_asked_share_of_new_subjects(coverage):
    """On average over fits: one fit alone may be off."""
    structures, volumes = [], []
    for seed in range(12):
        fitted = fit_dice_predictor(*cohort(24, seed=seed), coverage=coverage)
        features, dice, _ = cohort(40, each=1, seed=100 + seed)
        for item, truth in zip(features, dice, strict=True):
            found = fitted.predict(item)
            structures.append((found.structures[:, 1] <= truth) & (truth <= found.structures[:, 2]))
            volumes.append(found.volume[1] <= truth.mean() <= found.volume[2])
    assert coverage - 0.02 < np.mean(structures) < coverage + 0.07
    assert coverage - 0.06 < np.mean(volumes) < coverage + 0.1


def test_intervals_are_those_of_subjects_that_were_left_out():
    """More features than subjects explain all of the Dice of these, and nothing of that of others."""
    generator = np.random.default_rng(0)
    features, dice = generator.normal(size=(80, STRUCTURES, 200)), generator.uniform(0.2, 0.9, size=(80, STRUCTURES))
    found = fit_dice_predictor(features[:24], dice[:24], [str(number) for number in range(24)])
    missed = np.log(dice / (1 - dice)) - found.logits(features)
    low, high = found.structure_error
    assert np.abs(missed[:24]).max() < 0.5 * min(-low, high)
    assert ((low <= missed[24:]) & (missed[24:] <= high)).mean() > 0.85


def test_bad_and_good_dice_have_the_same_intervals_mirrored():
    features, dice, names = cohort(30)
    low, high = fit_dice_predictor(features, dice, names).structure_error
    mirrored = fit_dice_predictor(features, 1 - dice, names).structure_error
    assert mirrored == pytest.approx((-high, -low), abs=0.02)


def test_intervals_lie_around_the_prediction_within_0_and_1(predictor):
    features, _, _ = cohort(10, seed=2)
    for item in 3 * features:
        found = predictor.predict(item)
        assert (found.structures[:, 1] <= found.structures[:, 0]).all()
        assert (found.structures[:, 0] <= found.structures[:, 2]).all()
        assert found.structures.min() >= 0
        assert found.structures.max() <= 1
        assert found.volume[0] == pytest.approx(found.structures[:, 0].mean())
        assert found.volume[1] <= found.volume[0] <= found.volume[2]


def test_a_structure_that_was_not_predicted_may_have_any_dice(predictor):
    features = cohort(1, seed=3)[0][0]
    features[2] = np.nan
    found = predictor.predict(features)
    np.testing.assert_array_equal(found.structures[2], [np.nan, 0.0, 1.0])
    others = np.delete(found.structures, 2, axis=0)
    assert np.isfinite(others).all()
    assert found.volume[0] == pytest.approx(others[:, 0].mean())
    nothing = predictor.predict(np.full_like(features, np.nan)).volume
    assert np.isnan(nothing[0])
    assert nothing[1:] == (0.0, 1.0)


def test_what_is_not_known_does_not_count_in_the_fit(predictor):
    features, dice, names = cohort(40)
    features, dice = np.concatenate([features, features[:3]]), np.concatenate([dice, np.full((3, STRUCTURES), np.nan)])
    found = fit_dice_predictor(features, dice, [*names, *names[:3]])
    np.testing.assert_allclose(found.slope, predictor.slope)
    assert found.structure_error == pytest.approx(predictor.structure_error)


def test_a_subject_with_many_volumes_counts_as_one():
    features, dice, names = cohort(24, each=2)
    wrong = 1 - dice[:1]
    many = [np.concatenate([item, np.repeat(part, count, 0)]) for item, part, count in
            ((features, features[:1], 200), (dice, wrong, 200))]  # fmt: skip
    found = fit_dice_predictor(*many, [*names, *["other"] * 200])
    once = fit_dice_predictor(
        np.concatenate([features, features[:1]]), np.concatenate([dice, wrong]), [*names, "other"]
    )
    np.testing.assert_allclose(found.slope / found.scale, once.slope / once.scale, atol=0.1)


def test_too_few_subjects_are_refused_with_the_number_needed():
    with pytest.raises(CalibrationError, match="at least 9 for intervals that hold 90%, found 8"):
        fit_dice_predictor(*cohort(8))
    with pytest.raises(CalibrationError, match="at least 19 for intervals that hold 95%"):
        fit_dice_predictor(*cohort(18), coverage=0.95)
    fit_dice_predictor(*cohort(9))


@pytest.mark.parametrize("unknown", [1, 9])
def test_subjects_of_which_no_dice_is_known_do_not_count(unknown):
    features, dice, names = cohort(9)
    dice[np.isin(names, sorted(set(names))[:unknown])] = np.nan
    with pytest.raises(CalibrationError, match=f"at least 9 .+, found {9 - unknown}:"):
        fit_dice_predictor(features, dice, names)


def test_what_does_not_fit_is_an_error():
    features, dice, names = cohort(20)
    with pytest.raises(InputError, match="features, dice, subjects: expected"):
        fit_dice_predictor(features, dice[:-1], names)
    with pytest.raises(InputError, match="not per cent"):
        fit_dice_predictor(features, 100 * dice, names)


def test_features_are_means_over_the_pixels_of_each_structure():
    generator = torch.Generator().manual_seed(0)
    divergence, entropy = (torch.rand(5, 4, generator=generator) for _ in range(2))
    deviation = 3 * torch.rand(5, 3, generator=generator)
    count = torch.randint(1, 50, (5, 4), generator=generator)
    count[:, 2] = 0
    found = dice_features(divergence, entropy, deviation, count)
    weight = count[:, 1].double() / count[:, 1].sum()
    expected = [
        ((weight * divergence[:, 1]).sum() + 1e-7).log(),
        ((weight * entropy[:, 1]).sum() + 1e-4).log(),
        (weight * deviation[:, 0].double().log1p()).sum(),
    ]
    np.testing.assert_allclose(found[0, :3], expected, rtol=1e-6)
    assert np.isnan(found[1]).all()
    np.testing.assert_allclose(found[[0, 2], 3], found[[0, 2], 0].mean())
    np.testing.assert_allclose(found[[0, 2], 4], found[[0, 2], 1].mean())
