from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch
from torch import nn

from experiments.bundles import BUNDLES
from experiments.defences.__main__ import measure
from experiments.defences.listed import DEFENCES, submitted
from monai_advdefense.errors import InputError
from monai_advdefense.robustness import Settings

SETTINGS = Settings(budgets=(0.01, 0.1), attacks=("fgsm", "pgd"), steps=2, slices=2, background=0.0)


@pytest.fixture
def run(phantoms, bundles, write_weights, tmp_path):
    """Writes the table of two networks and a guard."""
    guard = write_weights(threshold=1e6)
    folder = bundles / "brain_mri_segmentation"
    shutil.copy(BUNDLES / "brain_mri_segmentation" / "configs" / "evaluate.json", folder / "configs")
    rows = {"weak": lambda _: nn.Sequential(guard.segmenter), "constant": _constant, "guard": lambda _: guard}

    def run():
        paths = {"bundles": bundles, "work_dir": tmp_path / "work", "output": tmp_path / "docs" / "defences.md"}
        return measure(phantoms, defences=rows, settings=SETTINGS, **paths)

    return run


def _constant(_):
    """A network that no attack can turn: its classes are 0, 1, 2 and 3 by the place alone."""
    network = nn.Conv2d(1, 4, 3, padding=1)
    nn.init.zeros_(network.weight)
    network.bias.data = torch.tensor([0.0, 0.0, 9.0, 0.0])
    return network


@pytest.mark.filterwarnings("ignore::monai_advdefense.attacks.NoEffectWarning")
def test_rows_are_sorted_by_their_worst_case_and_a_second_run_gives_the_same(run, tmp_path):
    page = run().read_text()
    with (tmp_path / "docs" / "results" / "defences.csv").open(newline="") as file:
        rows = {row["defence"]: row for row in csv.DictReader(file)}
    worst = [float(row["dice_1"]) for row in rows.values()]
    assert worst == sorted(worst, reverse=True)
    assert rows["constant"]["dice_1"] == rows["constant"]["dice_clean"]
    assert float(rows["weak"]["dice_1"]) < float(rows["weak"]["dice_clean"])
    assert rows["guard"]["false_alarms"] == "0"
    assert rows["weak"]["accepted_and_bad"] == ""
    assert all(f"| {name} | {float(row['dice_clean']):.3f}" in page for name, row in rows.items())
    assert "under the worst of 2 attacks" in page
    reports = [json.loads(path.read_text()) for path in (tmp_path / "work").glob("*/robustness.json")]
    assert [len(report["attacks"]) for report in reports].count(1) == 1  # the guard's own attacker beside it
    assert run().read_text() == page


def test_the_listed_defences_take_slices_and_have_gradients():
    image = torch.rand(1, 1, 32, 32, requires_grad=True)
    for name, defence in DEFENCES.items():
        network = defence(BUNDLES)
        logits = getattr(network, "segmenter", network)(image)
        assert logits.shape == (1, 28, 32, 32), name
        (gradient,) = torch.autograd.grad(logits.square().mean(), image)
        assert gradient.abs().sum() > 0, name


def test_rows_from_outside():
    name, defence = submitted("mine=experiments.defences.listed:DEFENCES")
    assert (name, defence) == ("mine", DEFENCES)
    for text in ("mine", "mine=nowhere:build", "mine=experiments.defences.listed:nothing"):
        with pytest.raises(InputError, match="--add: expected NAME=package.module:function"):
            submitted(text)
