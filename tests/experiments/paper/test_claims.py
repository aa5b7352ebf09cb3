from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from experiments.attacks import AttackSetting
from experiments.paper.claims import bar_table, claim_table, comparison_table, verdict
from experiments.paper.names import COMBINED, MEAN
from experiments.paper.quantities import pooled, quantities
from experiments.paper.texts import TEXTS
from experiments.tables import CLEAN, select
from monai_advdefense.metrics import Resampled

COLUMNS = ["claim", "setting", "verdict"]
EVEN = np.linspace(-1, 1, 201)


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=20)


def _verdicts(results, found=None):
    found = found or quantities(results, resamples=20)
    table = claim_table(comparison_table(results, found))
    return dict(zip(table["claim"], table["verdict_brain"], strict=True)), found


@pytest.mark.parametrize(
    ("difference", "wanted"),
    [
        (Resampled(2.0, 2 + EVEN), "yes"),
        (Resampled(-2.0, EVEN - 2), "no"),
        (Resampled(0.5, 0.5 + EVEN), "undecided"),
        (Resampled(0.0, 0 * EVEN), "undecided"),
        (Resampled(2.0, np.where(EVEN > 0.8, np.nan, 2 + EVEN)), "undecided"),
        (Resampled(2.0, np.where(EVEN > 0.95, np.nan, 2 + EVEN)), "yes"),
        (Resampled(np.nan, EVEN), "not measured"),
        (Resampled(2.0, np.full(9, np.nan)), "undecided"),
        (None, "not measured"),
    ],
)
def test_verdict(difference, wanted):
    assert verdict(difference) == wanted


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        (["yes", "yes"], "yes"),
        (["yes", "undecided"], "undecided"),
        (["yes", "undecided", "no"], "no"),
        (["yes", "not measured"], "undecided"),
        (["not measured"], "not measured"),
    ],
)
def test_claim_needs_every_comparison(verdicts, wanted):
    comparisons = pd.DataFrame([("skip_connections", "brain", name) for name in verdicts], columns=COLUMNS)
    row = select(claim_table(comparisons), claim="skip_connections").iloc[0]
    assert (row["verdict_brain"], row["verdict_whole"]) == (wanted, "")
    assert row["yes_brain"] == verdicts.count("yes")


def test_order_of_the_paper_is_found_where_it_is(results, found):
    verdicts, _ = _verdicts(results, found)
    assert list(verdicts) == list(TEXTS["claims"])
    for claim in ("shifted_above_unshifted", "unshifted_above_chance", "shifted_above_image", "unet_reformer_best"):
        assert verdicts[claim] == "yes"
    assert verdicts["networks_above_autoencoders"] == verdicts["magnet_below_none"] == "yes"


def test_opposite_order_is_no_and_constant_scores_are_undecided(results):
    def changed(key, score):
        detector, _, attack = key
        if detector.endswith(" unshifted"):
            return np.zeros_like(score)
        if detector.endswith(" shifted"):
            return np.zeros_like(score) - (attack != CLEAN)
        return score

    verdicts, found = _verdicts(
        dataclasses.replace(results, scores={key: changed(key, score) for key, score in results.scores.items()})
    )
    interval = found.detection["UNet unshifted", "UNet", pooled()]["auc"].interval()
    assert (interval.estimate, interval.low, interval.high) == (0.5, 0.5, 0.5)
    assert verdicts["unshifted_above_chance"] == "undecided"
    assert verdicts["shifted_above_unshifted"] == verdicts["shifted_above_image"] == "no"


def test_perfect_pair_13_is_best_of_all(results):
    counts = {key: np.array(value) for key, value in results.counts.items()}
    for (reformer, _, _), value in counts.items():
        value[:, :, 0] = {"UNet": 100, "UNet denoiser": 100}.get(reformer, 50)
    scores = {key: np.where(key[0] == "UNet shifted", -9.0, value) for key, value in results.scores.items()}
    # The other detectors reject some slices of every volume, those with the better Dice.
    for (reformer, _, _), value in counts.items():
        if reformer == "UNet":
            value[::3, :, 0] = 40
    others = {key: np.where(np.arange(len(value)) % 3, 99.0, -9.0) for key, value in scores.items()}
    scores = {key: scores[key] if key[0] == "UNet shifted" else others[key] for key in scores}
    verdicts, _ = _verdicts(dataclasses.replace(results, counts=counts, scores=scores))
    assert verdicts["pair_13_best"] == "yes"


def test_pair_13_that_accepts_nothing_is_not_measured(results):
    scores = {key: np.where(key[0] == "UNet shifted", 99.0, value) for key, value in results.scores.items()}
    verdicts, _ = _verdicts(dataclasses.replace(results, scores=scores))
    assert verdicts["pair_13_best"] == "not measured"


def test_best_of_the_others_is_found_on_each_resample(results, found):
    rows = select(comparison_table(results, found), claim="pair_13_best").to_dict("records")
    row = next(row for row in rows if (row["setting"], "UNet," in row["expected_higher"]) == ("brain", True))
    dice = [found.guards[*pair, "UNet", pooled()]["dice"] for pair in results.pairs[:16]]
    others = [each for number, each in enumerate(dice, start=1) if number != 13]
    assert float(row["lower"]) == pytest.approx(max(each.estimate for each in others), rel=1e-5)
    best = np.max([each.values for each in others], axis=0)
    assert float(row["difference_low"]) == pytest.approx(np.quantile(dice[12].values - best, 0.025), rel=1e-4)


def test_claims_without_their_networks_are_not_measured(build):
    results = build(targets=("UNet",), shifts={"UNet shifted": 3.0}, pairs=(), strengths=(1.0,), slices=3)
    verdicts, _ = _verdicts(results)
    assert set(verdicts.values()) == {"not measured"}


def test_bars_are_met_or_missed_by_the_figure(build):
    shifts = {"UNet shifted": 30.0, "UNet shifted + divergence": 0.5}
    results = build(targets=("UNet",), shifts=shifts, pairs=(), strengths=(1.0, 0.5), slices=3)
    table = bar_table(quantities(results, resamples=20))
    rows = {(row["detector"], row["strength"], row["type"]): row for row in table.to_dict("records")}
    verdicts = {key: row["verdict"] for key, row in rows.items()}
    assert verdicts["UNet shifted", 1.0, "A"] == "met"
    assert rows["UNet shifted", 1.0, "A"]["auc"] == 1
    assert verdicts["UNet shifted", 1.0, "C"] == "no bar"
    assert verdicts["UNet shifted + divergence", 0.5, "B"] == "missed"
    assert verdicts["UNet shifted + divergence", 0.125, "A"] == "not measured"


@pytest.mark.parametrize(("area", "wanted"), [(0.95, "met"), (np.nextafter(0.95, 0), "missed")])
def test_a_bar_is_met_by_a_figure_that_just_reaches_it(found, area, wanted):
    areas = {("UNet shifted", MEAN, AttackSetting("dag", "A").name): {"auc": Resampled(area, np.full(9, area))}}
    row = bar_table(dataclasses.replace(found, detection=areas)).iloc[0]
    assert (row["detector"], row["type"], row["verdict"]) == ("UNet shifted", "A", wanted)


def test_the_bars_are_those_that_were_set_beforehand(found):
    table = bar_table(found)
    bars = {(row["detector"], row["strength"], row["type"]): row["bar"] for row in table.to_dict("records")}
    wanted = {("UNet shifted", 1.0): 0.95, (COMBINED, 1.0): 0.99, (COMBINED, 0.5): 0.97, (COMBINED, 0.125): np.nan}
    expected = {(*key, name): np.nan if name == "C" else bar for key, bar in wanted.items() for name in "ABC"}
    assert bars.keys() == expected.keys()
    np.testing.assert_array_equal([bars[key] for key in expected], list(expected.values()))


def _rows(results, found, claim, setting="brain"):
    return select(comparison_table(results, found), claim=claim, setting=setting)


def test_chance_has_no_interval_and_is_taken_from_the_area(results, found):
    row = _rows(results, found, "unshifted_above_chance").iloc[0]
    area = found.detection["UNet unshifted", MEAN, pooled()]["auc"].interval()
    assert (row["lower"], row["expected_lower"]) == (0.5, "chance")
    assert np.isnan(row["lower_low"])
    assert row["difference_low"] == pytest.approx(area.low - 0.5)
    assert row["difference_high"] == pytest.approx(area.high - 0.5)


def test_magnet_is_the_mean_of_its_pairs_that_accept_anything(results, found):
    row = _rows(results, found, "magnet_below_none").iloc[0]
    dice = [found.guards[*pair, "UNet", pooled()]["dice"].estimate for pair in results.pairs[:4]]
    assert row["lower"] == pytest.approx(np.mean([value for value in dice if np.isfinite(value)]))
    assert row["higher"] == found.guards["none", "none", "UNet", pooled()]["dice"].estimate


def test_a_target_is_judged_by_how_much_it_loses(results, found):
    row = _rows(results, found, "skip_connections").iloc[-1]
    lost = {
        target: found.guards["none", "none", target, pooled()]["dice"].estimate
        - found.guards["none", "none", target, CLEAN]["dice"].estimate
        for target in ("UNet", "SegNet")
    }
    assert row["expected_higher"] == "UNet target, change of Dice"
    assert (row["higher"], row["lower"]) == pytest.approx((lost["UNet"], lost["SegNet"]))


def test_half_clean_is_asked_only_where_slices_are_accepted(results, found):
    asked = comparison_table(results, found).groupby("setting")["claim"].unique()
    assert set(asked["half_clean"]) == {"pair_13_best", "magnet_below_none"}
    assert list(asked["brain"]) == list(asked["whole"]) == list(TEXTS["claims"])
