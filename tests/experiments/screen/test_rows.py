from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.screen.judged import judge_among_clean, judge_whole
from experiments.screen.rows import SHOWN_PIXELS, Found, clean_row, found_row
from tests.experiments.screen.phantom_examined import examined, part_of
from tests.guard.phantom_screen import fitted_screen

INDEX = torch.tensor([8, 12, 16, 20])


@pytest.fixture(scope="module")
def screen():
    return fitted_screen()


def _found(screen, seed, *, spoil=lambda image: image, lost=False, structure=None):
    clean = examined(seed)
    part = part_of(examined(seed, spoil), INDEX)
    if lost:
        part = replace(part, reformed=part.reformed * torch.tensor([0, 1, 1]))
    said = judge_whole(screen, clean)
    return Found(f"P{seed}", said, clean, judge_among_clean(screen, part, clean), part, True, structure)


def test_nothing_changed_is_found_by_chance_and_costs_nothing(screen):
    row = found_row("DAG A, γ/8", [_found(screen, seed) for seed in (40, 41, 42)], 50, comparable=True)
    assert (row["slices"], row["volumes"], row["subjects"]) == (12, 3, 3)
    assert row["auc"] == 0.5
    assert row["bad"] == row["accepted_and_bad"] == row["base_rate"] == 0
    assert row["rejected"] < 0.3


def test_a_fault_that_all_see_is_rejected_and_named(screen):
    found = [_found(screen, seed, spoil=lambda image: image**3) for seed in (40, 41)]
    row = found_row("gamma 1.5", found, 50, comparable=True)
    assert row["rejected"] == row["auc"] == row["volumes_not_clean"] == 1
    assert row["cause_right"] > 0.5
    assert row["causes"].startswith("intensity")


def test_a_lost_segmentation_that_is_accepted_is_accepted_and_bad(screen):
    found = _found(screen, 43, lost=True)
    row = found_row("DAG A, γ/8", [found], 50, comparable=True)
    assert row["bad"] == 1
    assert row["base_rate"] == 0
    assert row["accepted_and_bad"] == pytest.approx(1 - row["rejected"])


def test_one_structure_of_those_shown_counts_as_its_share(screen):
    found = _found(screen, 43)
    lost = found.numbers.reformed.clone()
    lost[:, 1, 0] = 0
    row = found_row("DAG A, γ/8", [replace(found, numbers=replace(found.numbers, reformed=lost))], 50, comparable=True)
    shown = (found.clean_numbers.plain[INDEX][:, 1:, 2] >= SHOWN_PIXELS).double()
    accepted = found.spoilt.accepted[INDEX].double()
    assert row["structures_accepted_and_bad"] == pytest.approx(float((accepted * shown[:, 0] / shown.sum(1)).mean()))
    assert 0 < row["structures_accepted_and_bad"] < 1
    assert row["structures_base_rate"] == 0


def test_of_an_erased_structure_its_own_dice_counts(screen):
    found = _found(screen, 44, structure=torch.tensor([1, 1, 1, 1]))
    lost = found.numbers.reformed.clone()
    lost[:, 2, 0] = 0
    elsewhere = replace(found, numbers=replace(found.numbers, reformed=lost))
    assert found_row("structure erased, norm 0.60", [elsewhere], 50, comparable=True)["bad"] == 0
    lost[:, 1, 0] = 0
    assert found_row("structure erased, norm 0.60", [elsewhere], 50, comparable=True)["bad"] == 1


def test_there_is_no_dice_where_labels_do_not_fit(screen):
    assert "accepted_and_bad" not in found_row("upside down", [_found(screen, 40)], 50, comparable=False)


def test_false_alarms_are_the_mean_over_volumes_and_the_worst(screen):
    numbers = [examined(seed) for seed in range(45, 49)]
    said = [judge_whole(screen, each) for each in numbers]
    row = clean_row(said, numbers, [f"P{seed}" for seed in range(4)], 50)
    shares = [float((~each.accepted)[each.judged].double().mean()) for each in said]
    assert row["rejected"] == pytest.approx(sum(shares) / 4)
    assert row["worst_volume"] == pytest.approx(max(shares))
    assert row["rejected_low"] <= row["rejected"] <= row["rejected_high"]
    assert row["volumes_not_clean"] == sum(each.verdict.verdict != "clean" for each in said) / 4


def test_the_dice_of_clean_volumes_counts_the_slices_that_pass(screen):
    numbers, said = examined(45), judge_whole(screen, examined(45))
    # Without what is rejected, behind a reformer that ruins just that.
    accepted = torch.arange(len(said.accepted)) % 2 == 0
    ruined = torch.where(accepted[:, None, None], numbers.plain, numbers.plain * torch.tensor([0, 1, 1]))
    row = clean_row([replace(said, accepted=accepted)], [replace(numbers, reformed=ruined)], ["P"], 50)
    for name, kept in (("dice_alone", numbers.plain), ("dice_accepted", numbers.plain[accepted])):
        overlap, predicted, true = kept.sum(dim=0)[1:].double().unbind(-1)
        assert row[name] == pytest.approx(float((2 * overlap / (predicted + true)).nanmean()))
