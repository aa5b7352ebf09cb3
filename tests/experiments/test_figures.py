from __future__ import annotations

import numpy as np
import pytest

from experiments.figures import attack_figures, detection_figures, guard_figures, recovered_share, volume_dice


def _counts(dice):
    """Overlap counts of one structure of 100 voxels, predicted with 100 voxels, with the given Dice of each slice."""
    hits = np.round(100 * np.asarray(dice)).astype(np.int64)
    structure = np.stack([hits, np.full_like(hits, 100), np.full_like(hits, 100)], axis=-1)
    return np.stack([np.zeros_like(structure), structure], axis=1)


def _measured(plain, reformed, score, **others):
    rows = {"volume": np.array([0, 0, 1, 1]), "subject": np.array(["a", "a", "b", "b"])}
    scores = {"score": np.array(score), "spectral": np.array(score), "combined": -np.array(score)}
    return {**rows, "plain": _counts(plain), "reformed": _counts(reformed), **scores, **others}


@pytest.mark.parametrize(("attacked", "reformed", "share"), [(0.4, 0.6, 0.5), (0.4, 0.8, 1.0), (0.4, 0.3, -0.25)])
def test_recovered_share(attacked, reformed, share):
    assert recovered_share(*(np.array([value]) for value in (0.8, attacked, reformed))) == pytest.approx(share)


@pytest.mark.parametrize("attacked", [0.8, 0.795, 0.9])
def test_nothing_lost_gives_no_share(attacked):
    assert np.isnan(recovered_share(np.array([0.8]), np.array([attacked]), np.array([0.8])))


def test_volume_dice_pools_the_kept_slices():
    counts, volume = _counts([1.0, 0.5, 0.2, 0.4]), np.array([0, 0, 1, 1])
    assert volume_dice(counts, volume).tolist() == pytest.approx([0.75, 0.3])
    kept = volume_dice(counts, volume, np.array([True, False, False, False]))
    assert kept[0] == pytest.approx(1.0)
    assert np.isnan(kept[1])


def test_attack_figures():
    clean = _measured([0.8] * 4, [0.7] * 4, [1.0, 2.0, 1.0, 2.0])
    norm, flipped = np.array([1.0, 3.0, 1.0, 3.0]), np.array([0.5] * 4)
    attacked = _measured([0.2] * 4, [0.5, 0.75] * 2, [1.5, 3.0, 2.5, 5.0], norm=norm, flipped=flipped)
    figures = {name: figure.estimate for name, figure in attack_figures(clean, attacked, 2.6, 20).items()}
    assert figures["auc_spectral"] == pytest.approx(14 / 16)
    assert figures["auc_combined"] == pytest.approx(2 / 16)
    assert figures["coverage"] == figures["tpr_shipped"] == 0.5
    assert (figures["norm"], figures["flipped"]) == (2.0, 0.5)
    assert figures["dice_reformed"] == pytest.approx(0.625)
    assert figures["recovered"] == pytest.approx((0.625 - 0.2) / 0.6, abs=0.01)
    # Accepted are the first slices of both volumes: 0.5 behind the reformer, which is 0.3 below 0.8.
    assert figures["dice_accepted"] == pytest.approx(0.5)
    assert figures["accepted_and_bad"] == 0.5


def test_a_score_without_calibration_has_no_figures():
    clean, attacked = (_measured([0.8] * 4, [0.7] * 4, score) for score in ([1.0, 2.0, 1.0, 2.0], [1.5, 3.0, 2.5, 5.0]))
    clean["combined"] = attacked["combined"] = np.full(4, np.nan)
    figures = detection_figures(clean, attacked, 20)
    assert figures["auc_spectral"].estimate == pytest.approx(14 / 16)
    assert np.isnan(figures["auc_combined"].estimate)
    assert np.isnan(figures["tpr_at_5_combined"].estimate)


def test_nothing_accepted_has_no_dice():
    clean = _measured([0.8] * 4, [0.7] * 4, [1.0] * 4)
    figures = guard_figures(clean, 0.5, 20)
    assert figures["coverage"].estimate == 0.0
    assert np.isnan(figures["accepted_reformed"].estimate)
    assert figures["all_reformed"].estimate == pytest.approx(0.7)


def test_guard_figures_compare_the_same_slices():
    clean = _measured([0.8, 0.1, 0.8, 0.1], [0.7, 0.9, 0.7, 0.9], [1.0, 9.0, 1.0, 9.0])
    figures = guard_figures(clean, 2.0, 20)
    assert figures["false_positive_rate"].estimate == 0.5
    assert figures["difference"].estimate == pytest.approx(-0.1)
