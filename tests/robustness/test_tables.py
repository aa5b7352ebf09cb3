from __future__ import annotations

import csv
import io

from monai_advdefense.robustness.tables import to_csv


def level(dice, **more):
    interval = {"estimate": dice, "low": None if dice is None else dice - 0.1, "high": None}
    return {"level": 0.5, "dice": interval, "structures": {"liver": {**interval, "estimate": 0.25}}, **more}


REPORT = {
    "claims": {"clean": level(0.9), "worst_case": [level(0.1)]},
    "attacks": [{"name": "pgd", "levels": [level(0.2, change=0.0123456789), level(None, change=0.5)]}],
    "corruptions": [{"name": "noise, much", "levels": [level(0.3, change=0.1, rejected=0.5, accepted_and_bad=0.25)]}],
    "guard": None,
}


def lines(report):
    return list(csv.DictReader(io.StringIO(to_csv(report))))


def test_each_condition_level_and_structure_has_a_line():
    found = lines(REPORT)
    assert [(line["kind"], line["name"], line["structure"]) for line in found] == [
        (kind, name, structure)
        for kind, name in [
            ("clean", "clean"),
            ("worst case", "all attacks"),
            ("attack", "pgd"),
            ("attack", "pgd"),
            ("corruption", "noise, much"),
        ]
        for structure in ("mean", "liver")
    ]


def test_numbers_have_six_digits_and_what_is_unknown_is_empty():
    found = lines(REPORT)
    assert (found[4]["dice"], found[4]["low"], found[4]["high"], found[4]["change"]) == ("0.2", "0.1", "", "0.0123457")
    assert found[6]["dice"] == ""
    assert found[7]["dice"] == "0.25"
    assert (found[8]["rejected"], found[8]["accepted_and_bad"]) == ("0.5", "0.25")
    assert (found[9]["rejected"], found[9]["accepted_and_bad"]) == ("", "")  # of images, not of structures
    assert found[0]["rejected"] == ""


def test_attacks_that_know_the_guard_are_a_kind_of_their_own():
    informed = {"attacks_that_know_it": [{"name": "selective PGD", "levels": [level(0.4)]}]}
    found = lines({**REPORT, "guard": informed})
    assert [line["dice"] for line in found if line["kind"] == "guard attack"] == ["0.4", "0.25"]
