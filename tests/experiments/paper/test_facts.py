from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from experiments.paper.facts import run_facts
from experiments.paper.presets import PRESETS
from experiments.tables import read_facts

PUBLISHED = Path(__file__).parents[3] / "docs" / "results" / "paper"


@pytest.mark.parametrize(("preset", "file"), [("small", "facts"), ("baselines", "baselines_facts")])
def test_facts_of_the_published_runs(preset, file):
    facts, published = run_facts(preset, PRESETS[preset], 0), read_facts(PUBLISHED / f"{file}.csv")
    assert facts.keys() < published.keys()
    for name in ("command", "preset", "seed", "sizes", "epochs"):
        assert facts[name] == published[name]
    assert datetime.date.fromisoformat(facts["date"]) <= datetime.date.today()


def test_a_preset_on_phantoms_needs_no_data():
    assert "--dataset_dir" not in run_facts("smoke", PRESETS["smoke"], 3)["command"]
    assert run_facts("smoke", PRESETS["smoke"], 3)["command"].endswith("--preset smoke --seed 3")


def test_the_full_preset_tells_of_every_network_and_role():
    facts = run_facts("full", PRESETS["full"], 0)
    assert facts["sizes"].startswith("192 x 192 pixels of 1 mm, UNet 64-128-256-512-1024-64")
    assert "DenseNet 4-5-7-10-12 (growth 16, first 48, dropout 0.2)" in facts["sizes"]
    assert all(name in facts["sizes"] for name in PRESETS["full"].networks)
    assert all(f"{role}: " in facts["epochs"] for role in ("target", "detector", "reformer"))
