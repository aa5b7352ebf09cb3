from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experiments.dice import volume_dice
from experiments.paper.names import HALF, MEAN, NO_DETECTOR, NO_REFORMER
from experiments.paper.quantities import groups, pooled, quantities
from experiments.tables import CLEAN
from monai_advdefense.errors import CalibrationError
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.metrics import accepted_and_bad, detection_metrics

PAIR = ("UNet shifted", "UNet")


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=20)


def test_groups_hold_each_attack_and_the_types_together(results):
    found = groups(results.settings)
    assert found[pooled()][1] == ("dag_A_1_brain", "dag_B_1_brain", "dag_C_1_brain")
    assert found[pooled(types=HALF)][1][:2] == (CLEAN, "dag_A_1_brain")
    assert set(results.settings) < set(found)
    without_c = {name: setting for name, setting in results.settings.items() if setting.target != "C"}
    assert set(groups(without_c)) == set(without_c)


def test_detection_is_that_of_the_metrics(results, found):
    attacks = groups(results.settings)[pooled()][1]
    clean = results.scores["UNet shifted", "UNet", CLEAN]
    attacked = np.concatenate([results.scores["UNet shifted", "UNet", attack] for attack in attacks])
    threshold = threshold_at_false_positive_rate(results.calibration["UNet shifted", "UNet"], 0.05)
    wanted = detection_metrics(clean, attacked, threshold=threshold)
    figures = {name: each.estimate for name, each in found.detection["UNet shifted", "UNet", pooled()].items()}
    assert figures["auc"] == pytest.approx(wanted.roc_auc)
    assert figures["tpr_at_5"] == pytest.approx(wanted.true_positive_rate)
    assert figures["fpr"] == pytest.approx(wanted.realized_false_positive_rate)
    assert figures["tpr"] == pytest.approx(wanted.realized_true_positive_rate)


def test_guard_is_that_of_the_metrics(results, found):
    attack = "dag_A_1_brain"
    threshold = threshold_at_false_positive_rate(results.calibration["UNet shifted", "UNet"], 0.05)
    accepted = results.scores["UNet shifted", "UNet", attack] <= threshold
    behind, before = results.counts["UNet", "UNet", attack], results.counts[NO_REFORMER, "UNet", CLEAN]
    figures = {name: each.estimate for name, each in found.guards[*PAIR, "UNet", attack].items()}
    bad = accepted_and_bad(accepted, _hard(before), _hard(behind))
    assert 0 < bad < 1
    assert figures["accepted_and_bad"] == pytest.approx(bad)
    assert figures["coverage"] == pytest.approx(accepted.mean())
    assert figures["dice"] == pytest.approx(np.nanmean(volume_dice(behind, results.volume, accepted)))
    assert figures["soft_dice"] == pytest.approx(results.soft_dice["UNet", "UNet", attack][accepted].mean())
    assert "clean_cost" not in figures


def _hard(counts):
    return 2 * counts[:, 1, 0] / (counts[:, 1, 1] + counts[:, 1, 2])


def test_clean_cost_compares_the_same_slices(results, found):
    accepted = results.scores["UNet shifted", "UNet", CLEAN] <= found.thresholds["UNet shifted", "UNet"]
    plain, behind = (
        volume_dice(results.counts[reformer, "UNet", CLEAN], results.volume, accepted)
        for reformer in (NO_REFORMER, "UNet")
    )
    assert found.guards[*PAIR, "UNet", CLEAN]["clean_cost"].estimate == pytest.approx(np.nanmean(plain - behind))
    assert found.guards[NO_DETECTOR, NO_REFORMER, "UNet", CLEAN]["clean_cost"].estimate == 0.0


def test_no_defence_accepts_everything(found):
    figures = found.guards[NO_DETECTOR, NO_REFORMER, "UNet", pooled()]
    assert figures["coverage"].interval().low == 1.0
    assert figures["accepted_and_bad"].estimate > 0.9


def test_slices_of_several_attacks_are_accepted_each_by_its_own_score(results, found):
    attacks, threshold = groups(results.settings)[pooled()][1], found.thresholds["UNet shifted", "UNet"]
    accepted = [results.scores["UNet shifted", "UNet", attack] <= threshold for attack in attacks]
    counts = np.concatenate([results.counts["UNet", "UNet", attack] for attack in attacks])
    wanted = volume_dice(counts, np.tile(results.volume, len(attacks)), np.concatenate(accepted))
    assert found.guards[*PAIR, "UNet", pooled()]["dice"].estimate == pytest.approx(np.nanmean(wanted))


def test_half_clean_counts_accepted_slices(results, found):
    clean, attacked = (found.guards[*PAIR, "UNet", group]["coverage"].estimate for group in (CLEAN, pooled()))
    half = found.guards[*PAIR, "UNet", pooled(types=HALF)]
    assert half["coverage"].estimate == pytest.approx((clean + attacked) / 2)
    parts = [found.guards[*PAIR, "UNet", group]["dice"].estimate for group in (pooled(), CLEAN)]
    assert parts[0] < half["dice"].estimate < parts[1]


def test_mean_over_the_targets(found):
    figures = [found.detection["UNet image", target, pooled()]["auc"] for target in ("UNet", "SegNet", MEAN)]
    assert figures[2].estimate == pytest.approx((figures[0].estimate + figures[1].estimate) / 2)
    assert np.allclose(figures[2].values, (figures[0].values + figures[1].values) / 2)


def test_perfect_detector(results):
    scores = {
        key: np.full(results.subject.size, 10.0 if key[2] != CLEAN else 0.0)
        for key in results.scores
        if key[0] == "UNet shifted"
    }
    perfect = dataclasses.replace(
        results,
        detectors=("UNet shifted",),
        scores=scores,
        calibration={("UNet shifted", target): np.zeros(30) for target in results.targets},
    )
    found = quantities(perfect, resamples=20)
    detection = found.detection["UNet shifted", MEAN, pooled()]
    assert [detection[name].interval().low for name in ("auc", "tpr_at_5", "tpr")] == [1.0, 1.0, 1.0]
    assert detection["fpr"].estimate == 0.0
    guard = found.guards[*PAIR, "UNet", pooled()]
    assert guard["coverage"].estimate == guard["accepted_and_bad"].estimate == 0.0
    assert np.isnan(guard["dice"].estimate)
    # Clean slices first, then as many bad ones, all of them together.
    bad = found.guards[NO_DETECTOR, NO_REFORMER, "UNet", pooled()]["accepted_and_bad"].estimate
    assert found.detection["UNet shifted", "UNet", pooled()]["aurc"].estimate == pytest.approx(bad / 2 / 2)


def test_what_was_not_measured_is_left_out(results):
    fewer = dataclasses.replace(
        results,
        counts={key: value for key, value in results.counts.items() if key[::2] != ("UNet", "dag_A_1_brain")},
    )
    found = quantities(fewer, resamples=5)
    assert (*PAIR, "UNet", "dag_B_1_brain") in found.guards
    assert not any(key[3] in (pooled(), "dag_A_1_brain") for key in found.guards if key[:2] == PAIR)
    assert (NO_DETECTOR, NO_REFORMER, MEAN, pooled()) in found.guards


def test_a_mean_is_of_all_targets_or_none(results):
    behind = ("UNet", "SegNet", "dag_A_1_brain")
    found = quantities(
        dataclasses.replace(results, counts={key: value for key, value in results.counts.items() if key != behind}),
        resamples=5,
    )
    assert (*PAIR, "UNet", "dag_A_1_brain") in found.guards
    assert not any((*PAIR, target, "dag_A_1_brain") in found.guards for target in ("SegNet", MEAN))


def test_too_few_calibration_scores_are_refused(results):
    few = dataclasses.replace(results, calibration={("UNet shifted", "UNet"): np.zeros(5)})
    with pytest.raises(CalibrationError, match="at least 19"):
        quantities(few, resamples=5)
