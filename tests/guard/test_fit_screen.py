from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.fit_screen import check_subjects, fit_screen
from monai_advdefense.guard.screen import SCREEN_SCORES, Screen
from monai_advdefense.guard.stored import MOST_SUBJECTS
from tests.guard.phantom_screen import CLASSES, RATE, clean_volumes, numbers, phantom


@pytest.fixture(scope="module", autouse=True)
def _fits_once():
    """The models of images and predictions, which take nearly all of the time, do not depend on labels."""
    module, found = sys.modules[fit_screen.__module__], {}
    fits = module._fits

    def known(volumes, **options):
        key = (*options.items(), *((id(volume.image), id(volume.prediction)) for volume in volumes))
        if key not in found:
            found[key] = fits(volumes, **options)
        return found[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_fits", known)
        # Everything lies on the CPU here; a copy would not be known again.
        patched.setattr(module, "_on_cpu", lambda volume: volume)
        yield


@pytest.fixture(scope="module")
def fitted():
    screen = Screen(CLASSES)
    return screen, fit_screen(screen, clean_volumes(), false_positive_rate=RATE)


def test_record_says_what_it_was_fitted_on(fitted):
    screen, record = fitted
    record = json.loads(json.dumps(record, allow_nan=False))
    assert record["threshold"] == float(screen.threshold)
    assert (record["subjects"], record["volumes"], record["scores"]) == (9, 9, list(SCREEN_SCORES))
    # The threshold is that of the copies from other scans, if they need a higher one.
    assert 0.2 * RATE < record["rejected_share"]["mean"] <= RATE
    assert screen.reference.reference().limit == record["volume_limit"]


def test_dice_is_predicted_where_labels_were_given():
    screen = Screen(CLASSES)
    dice = np.random.default_rng(0).uniform(0.8, 0.9, (9, CLASSES - 1))
    volumes = [replace(volume, dice=own) for volume, own in zip(clean_volumes(), dice, strict=True)]
    record = fit_screen(screen, volumes, false_positive_rate=RATE)
    assert (record["predicted_dice"], record["predicted_dice_reason"]) == (True, "")
    mean, low, high = screen(phantom(40)[0], numbers(40)).dice.volume
    assert 0.75 < low <= mean <= high < 0.95
    assert all(torch.isfinite(value).all() for value in screen.dice.state_dict().values())


def test_without_labels_of_enough_subjects_the_reason_is_told(fitted):
    assert fitted[1]["predicted_dice_reason"] == "no volume has a label"
    dice = np.full(CLASSES - 1, 0.8)
    volumes = [replace(volume, dice=dice if number else None) for number, volume in enumerate(clean_volumes())]
    screen = Screen(CLASSES)
    record = fit_screen(screen, volumes, false_positive_rate=RATE)
    assert not record["predicted_dice"]
    assert "subjects: expected at least 9 for intervals that hold 90%, found 8" in record["predicted_dice_reason"]
    assert screen(phantom(40)[0], numbers(40)).dice is None


def test_every_number_is_finite(fitted):
    assert all(torch.isfinite(value).all() for value in fitted[0].state_dict().values())


def test_new_clean_volumes_are_mostly_clean(fitted):
    found = [fitted[0](phantom(seed)[0], numbers(seed)) for seed in range(30, 36)]
    shares = [float((~each.accepted & each.judged).sum() / each.judged.sum()) for each in found]
    assert sum(shares) / len(shares) < 2.5 * RATE
    assert sum(each.verdict.verdict == "clean" for each in found) >= 4


def test_a_rate_that_the_subjects_cannot_carry_is_refused_with_their_number():
    screen = Screen(CLASSES)
    with pytest.raises(CalibrationError, match="at least 19 subjects for a rate of 0.05 of volumes, found 9"):
        fit_screen(screen, clean_volumes(), false_positive_rate=0.05)
    # Nobody would be judged by what others gave.
    with pytest.raises(
        CalibrationError, match=r"at least 5 subjects for a rate of 0\.5 .*, found 4: add volumes of others$"
    ):
        check_subjects(4, 0.5)
    with pytest.raises(InputError, match="between 0 and 1"):
        fit_screen(screen, clean_volumes(), false_positive_rate=5)
    assert torch.isnan(screen.threshold)


def test_more_subjects_than_a_screen_holds_are_refused_before_the_fit():
    volume = clean_volumes()[0]
    many = [replace(volume, image=replace(volume.image, subject=str(number))) for number in range(MOST_SUBJECTS + 1)]
    with pytest.raises(CalibrationError, match="at most 1000 subjects, found 1001"):
        fit_screen(Screen(CLASSES), many, false_positive_rate=RATE)


@pytest.mark.parametrize("name", ["prediction", "resampled_prediction"])
def test_a_volume_that_failed_is_refused_by_its_subject(name):
    volumes = clean_volumes()
    old = getattr(volumes[3], name)
    spoilt = replace(volumes[3], **{name: replace(old, divergence=torch.full_like(old.divergence, torch.nan))})
    screen = Screen(CLASSES)
    with pytest.raises(InputError, match="P03: expected finite predictions"):
        fit_screen(screen, [*volumes[:3], spoilt, *volumes[4:]], false_positive_rate=RATE)
    assert torch.isnan(screen.threshold)
