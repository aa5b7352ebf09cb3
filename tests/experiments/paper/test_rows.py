from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc

from experiments.paper.names import MEAN, PERFECT
from experiments.paper.quantities import pooled, quantities
from experiments.paper.rows import attack_table, detection_table, guard_table, risk_coverage_table, roc_table
from experiments.tables import CLEAN


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=20)


def _records(table):
    return table.to_dict("records")


def test_detection_rows_have_every_detector_attack_and_target(results, found):
    rows = _records(detection_table(results, found))
    attacks = len(results.settings) + 2
    assert len(rows) == len(results.detectors) * attacks * (len(results.targets) + 1)
    together = [row for row in rows if row["type"] == "A+B+C"]
    assert {row["attacked_slices"] for row in together} == {3 * results.subject.size}
    assert {row["subjects"] for row in rows} == {6}
    known = {(row["detector"], row["type"]) for row in rows if row["knows_guard"]}
    assert known == {(name, name) for name in ("UNet shifted", "UNet shifted + divergence")}


def test_guard_rows_begin_with_the_attacker_who_knows_the_guard(results, found):
    rows = _records(guard_table(results, found))
    forms = [row["form"] for row in rows]
    assert forms[: forms.count("selective_pgd")] == ["selective_pgd"] * forms.count("selective_pgd")
    figures = [name for name in rows[0] if name in ("accepted_and_bad", "coverage", "dice", "soft_dice")]
    assert figures[0] == "accepted_and_bad"
    known = {(row["pair"], row["type"]) for row in rows if row["knows_guard"]}
    assert known == {(13, "UNet shifted"), (18, "UNet shifted + divergence")}
    numbered = {row["pair"]: (row["detector"], row["reformer"]) for row in rows if not np.isnan(row["pair"])}
    assert numbered[1] == ("Autoencoder I", "Autoencoder I")
    assert numbered[13] == ("UNet shifted", "UNet")
    assert {row["target"] for row in rows} == {*results.targets, MEAN}
    assert all("clean_cost" in row for row in rows if row["form"] == CLEAN)


def test_attack_rows_leave_empty_what_noise_has_not(results, found):
    inside = [row for row in _records(attack_table(results, found)) if row["support"] == "brain"]
    rows = {(row["target"], row["form"], row["type"]): row for row in inside}
    assert np.isnan(rows["UNet", "noise", "A"]["flipped"])
    assert float(rows["UNet", "dag", "A"]["flipped"]) == pytest.approx(0.9)
    assert float(rows["UNet", "dag", "A"]["norm"]) == pytest.approx(
        results.norm["UNet", "dag_A_1_brain"].mean(), rel=1e-5
    )


def test_roc_rows_enclose_the_area(results, found):
    rows = [
        row
        for row in _records(roc_table(results, found))
        if (row["detector"], row["target"]) == ("UNet image", "SegNet")
    ]
    curve = np.array([[float(row[name]) for name in ("false_positive_rate", "true_positive_rate")] for row in rows])
    assert curve[0].tolist() == [0, 0]
    assert curve[-1].tolist() == [1, 1]
    assert auc(*curve.T) == pytest.approx(found.detection["UNet image", "SegNet", pooled()]["auc"].estimate, abs=1e-5)


def test_no_detector_has_less_risk_than_a_perfect_one(results, found):
    rows = [row for row in _records(risk_coverage_table(results, found)) if row["target"] == "UNet"]
    curves = {
        name: {row["coverage"]: float(row["risk"]) for row in rows if row["detector"] == name}
        for name in {row["detector"] for row in rows}
    }
    assert set(curves) == {*results.detectors, PERFECT}
    assert len({curve[1.0] for curve in curves.values()}) == 1
    for curve in curves.values():
        shared = set(curve) & set(curves[PERFECT])
        assert len(shared) > 20
        assert all(curve[place] >= curves[PERFECT][place] - 1e-6 for place in shared)
