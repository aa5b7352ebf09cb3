from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from experiments.defences.__main__ import main, measure
from experiments.defences.threats import Threat
from experiments.tables import read_table

THREATS = (
    Threat("L2", (0.1, 3.0), "l2", steps=2, through_score=True),
    Threat("low frequencies", (3.0,), "l2", ("low_frequencies",), steps=2),
    Threat("L-infinity", (8 / 255,), "linf", ("apgd_dice", "pgd"), steps=2),
    Threat("4 steps, L2", (3.0,), "l2", steps=4, restarts=1, through_score=True),
    Threat("transfer, L2", (3.0,), "l2", steps=2, knows="segmenter"),
    Threat("5 queries, L-infinity", (8 / 255,), "linf", ("square",), knows="answers", n_queries=5),
)


@pytest.fixture
def run(phantoms, bundles, write_weights, tmp_path):
    """Writes the table of two networks and two guards."""
    guard = write_weights(threshold=1e6)
    strict = copy.deepcopy(guard)
    strict.detector.threshold.fill_(0.0)
    rows = {"weak": lambda _: nn.Sequential(guard.segmenter), "constant": _constant}
    rows |= {"guard": lambda _: guard, "strict": lambda _: strict}

    def run():
        paths = {"bundles": bundles, "work_dir": tmp_path / "work", "output": tmp_path / "docs" / "defences.md"}
        options = {"defences": rows, "threats": THREATS, "segmenter": rows["weak"], "per_volume": 2}
        return measure(phantoms, **options, **paths)

    return run


def _constant(_):
    """A network that no attack can turn: its classes are 0, 1, 2 and 3 by the place alone."""
    network = nn.Conv2d(1, 4, 3, padding=1)
    nn.init.zeros_(network.weight)
    network.bias.data = torch.tensor([0.0, 0.0, 9.0, 0.0])
    return network


def _rows(tmp_path):
    table = read_table(tmp_path / "docs" / "results" / "defences.csv")
    return {(row["defence"], row["threat"], round(row["budget"], 4)): row for row in table.to_dict("records")}


@pytest.mark.filterwarnings("ignore::monai_advdefense.attacks.NoEffectWarning")
def test_rows_are_sorted_by_their_worst_cases_and_a_second_run_gives_the_same(run, tmp_path):
    page = run().read_text()
    rows = _rows(tmp_path)
    clean, small, large = ({key[0]: row for key, row in rows.items() if key[1:] == level} for level in _LEVELS)
    assert large["weak"]["dice"] < small["weak"]["dice"] <= clean["weak"]["dice"]
    assert large["constant"]["dice"] == clean["constant"]["dice"]
    names = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")][2:6]
    attacked = {
        name: [row["dice"] for key, row in rows.items() if key[0] == name and key[1] in _INFORMED] for name in names
    }
    means = [sum(dice) / len(dice) for name, dice in attacked.items() if name != "strict"]
    assert means == sorted(means, reverse=True)
    cells = len(list((tmp_path / "work").iterdir()))
    assert run().read_text() == page
    assert len(list((tmp_path / "work").iterdir())) == cells


_INFORMED = {threat.name for threat in THREATS[:3]}
_LEVELS = (("none", 0.0), ("L2", 0.1), ("L2", 3.0))


@pytest.mark.filterwarnings("ignore::monai_advdefense.attacks.NoEffectWarning")
def test_what_rejects_everything_has_no_dice_and_nothing_bad(run, tmp_path):
    run()
    strict = [row for key, row in _rows(tmp_path).items() if key[0] == "strict"]
    assert all(row["accepted"] == 0 and row["accepted_and_bad"] == 0 and math.isnan(row["dice"]) for row in strict)
    rows = _rows(tmp_path)
    guard = [row for key, row in rows.items() if key[0] == "guard"]
    assert all(row["accepted"] == 1 for row in guard)


def test_a_row_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit):
        main(["--dataset_dir", "nowhere", "--only", "none", "--only", "nothing"])
    assert "--only: expected one of none, reformer, " in (told := capsys.readouterr().err)
    assert "found 'nothing'" in told


@pytest.mark.parametrize("options", [("--only", "none"), ("--split", "validation")])
def test_a_part_does_not_replace_the_published_table(capsys, options):
    with pytest.raises(SystemExit):
        main(["--dataset_dir", "nowhere", *options])
    assert (
        "--output: expected a file of your own with --only or --split, found docs/defences.md"
        in capsys.readouterr().err
    )
