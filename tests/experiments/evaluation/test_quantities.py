from __future__ import annotations

import numpy as np
import pytest

from experiments.evaluation.quantities import (
    attack_quantities,
    detection_quantities,
    guard_quantities,
    recovered_share,
    segmenter_quantities,
)
from monai_advdefense.metrics import Resampled, accepted_and_bad, bootstrap_over_subjects, detection_metrics


def _counts(dice):
    """Overlap counts of one structure of 100 voxels, predicted with 100 voxels, with the given Dice of each slice."""
    hits = np.round(100 * np.asarray(dice)).astype(np.int64)
    structure = np.stack([hits, np.full_like(hits, 100), np.full_like(hits, 100)], axis=-1)
    return np.stack([np.zeros_like(structure), structure], axis=1)


def _measured(plain, reformed, score, **others):
    rows = {"volume": np.array([0, 0, 1, 1]), "subject": np.array(["a", "a", "b", "b"])}
    scores = {"score": np.array(score), "spectral": np.array(score), "combined": -np.array(score)}
    return {**rows, "plain": _counts(plain), "reformed": _counts(reformed), **scores, **others}


def _same(value):
    return Resampled(value, np.full(3, value))


@pytest.mark.parametrize(("attacked", "reformed", "share"), [(0.4, 0.6, 0.5), (0.4, 0.8, 1.0), (0.4, 0.3, -0.25)])
def test_recovered_share(attacked, reformed, share):
    found = recovered_share(_same(0.8), _same(attacked), _same(reformed))
    assert found.estimate == pytest.approx(share)
    assert found.values.tolist() == pytest.approx([share] * 3)


@pytest.mark.parametrize("attacked", [0.8, 0.795, 0.9])
def test_nothing_lost_gives_no_share(attacked):
    assert np.isnan(recovered_share(_same(0.8), _same(attacked), _same(0.8)).estimate)


def test_a_resample_without_loss_has_no_share():
    attacked = Resampled(0.4, np.array([0.4, 0.8]))
    found = recovered_share(Resampled(0.8, np.full(2, 0.8)), attacked, Resampled(0.6, np.full(2, 0.6)))
    assert found.values[0] == pytest.approx(0.5)
    assert np.isnan(found.values[1])


@pytest.mark.parametrize("quantity", ["auc_spectral", "tpr_at_5_spectral", "dice_reformed", "accepted_and_bad"])
def test_intervals_are_those_of_the_bootstrap_over_subjects(quantity):
    rng = np.random.default_rng(0)
    subject = np.repeat(["a", "b", "c", "d"], 5)
    rows = {"volume": np.repeat(np.arange(4), 5), "subject": subject}

    def measured(low, shift):
        score = rng.normal(shift, 1, 20)
        scores = {"score": score, "spectral": score, "combined": score}
        dice = {name: _counts(rng.uniform(low, low + 0.3, 20)) for name in ("plain", "reformed")}
        return {**rows, **scores, **dice, "norm": np.ones(20), "flipped": np.ones(20)}

    clean, attacked = measured(0.6, 0), measured(0.4, 1)
    accepted = attacked["score"] <= 0.5
    dice = {
        name: _mean_dice(counts) for name, counts in (("clean", clean["plain"]), ("reformed", attacked["reformed"]))
    }
    statistic, arrays = {
        "auc_spectral": (lambda a, b: detection_metrics(a, b).roc_auc, (clean["score"], attacked["score"])),
        "tpr_at_5_spectral": (
            lambda a, b: detection_metrics(a, b).true_positive_rate,
            (clean["score"], attacked["score"]),
        ),
        "dice_reformed": (np.mean, (np.repeat(dice["reformed"].reshape(4, 5).mean(axis=1), 5),)),
        "accepted_and_bad": (accepted_and_bad, (accepted, dice["clean"], dice["reformed"])),
    }[quantity]
    wanted = bootstrap_over_subjects(statistic, subject, *arrays, resamples=50)
    found = attack_quantities(clean, attacked, 0.5, 50)[quantity].interval()
    assert (found.estimate, found.low, found.high) == pytest.approx((wanted.estimate, wanted.low, wanted.high))


def _mean_dice(counts):
    return 2 * counts[:, 1, 0] / (counts[:, 1, 1] + counts[:, 1, 2])


def test_segmenter_quantities_are_the_mean_and_each_structure():
    measured = _measured([0.8, 0.4, 0.6, 0.6], [0.7] * 4, [1.0] * 4)
    measured["plain"] = np.concatenate([measured["plain"], _counts([1.0, 1.0, 0.0, 0.5])[:, 1:]], axis=1)
    found = [each.estimate for each in segmenter_quantities(measured, 20)]
    assert found == pytest.approx([(0.6 + 0.625) / 2, 0.6, 0.625])


def test_attack_quantities():
    clean = _measured([0.8] * 4, [0.7] * 4, [1.0, 2.0, 1.0, 2.0])
    norm, flipped = np.array([1.0, 3.0, 1.0, 3.0]), np.array([0.5] * 4)
    attacked = _measured([0.2] * 4, [0.5, 0.75] * 2, [1.5, 3.0, 2.5, 5.0], norm=norm, flipped=flipped)
    figures = {name: figure.estimate for name, figure in attack_quantities(clean, attacked, 2.6, 20).items()}
    assert figures["auc_spectral"] == pytest.approx(14 / 16)
    assert figures["auc_combined"] == pytest.approx(2 / 16)
    assert figures["coverage"] == figures["tpr_shipped"] == 0.5
    strict = attack_quantities(clean, attacked, 1.6, 20)
    assert (strict["coverage"].estimate, strict["tpr_shipped"].estimate) == (0.25, 0.75)
    assert (figures["norm"], figures["flipped"]) == (2.0, 0.5)
    assert figures["dice_reformed"] == pytest.approx(0.625)
    assert figures["recovered"] == pytest.approx((0.625 - 0.2) / 0.6)
    # Accepted are the first slices of both volumes: 0.5 behind the reformer, which is 0.3 below 0.8.
    assert figures["dice_accepted"] == pytest.approx(0.5)
    assert figures["accepted_and_bad"] == 0.5


def test_a_score_without_calibration_has_no_figures():
    clean, attacked = (_measured([0.8] * 4, [0.7] * 4, score) for score in ([1.0, 2.0, 1.0, 2.0], [1.5, 3.0, 2.5, 5.0]))
    clean["combined"] = attacked["combined"] = np.full(4, np.nan)
    figures = detection_quantities(clean, attacked, 20)
    assert figures["auc_spectral"].estimate == pytest.approx(14 / 16)
    assert np.isnan(figures["auc_combined"].estimate)
    assert np.isnan(figures["tpr_at_5_combined"].estimate)


def test_nothing_accepted_has_no_dice():
    clean = _measured([0.8] * 4, [0.7] * 4, [1.0] * 4)
    figures = guard_quantities(clean, 0.5, 20)
    assert figures["coverage"].estimate == 0.0
    assert np.isnan(figures["accepted_reformed"].estimate)
    assert figures["all_reformed"].estimate == pytest.approx(0.7)


def test_guard_quantities_compare_the_same_slices():
    clean = _measured([0.8, 0.1, 0.8, 0.1], [0.7, 0.9, 0.7, 0.9], [1.0, 9.0, 1.0, 9.0])
    figures = guard_quantities(clean, 2.0, 20)
    assert figures["false_positive_rate"].estimate == 0.5
    assert figures["difference"].estimate == pytest.approx(-0.1)
