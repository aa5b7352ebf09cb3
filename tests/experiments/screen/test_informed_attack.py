from __future__ import annotations

import pytest
import torch

from experiments.screen.conditions import ATTACKS
from experiments.screen.informed_attack import Attackable, evade_scores, screen_excess
from experiments.screen.judged import judge_among_clean
from experiments.screen.measured import Measured
from monai_advdefense.guard.screen import SCREEN_SCORES
from monai_advdefense.weights import save_weights
from tests.guard.phantom_screen import fitted_screen


@pytest.fixture
def measured(phantoms, bundles, write_weights, tmp_path):
    write_weights()
    save_weights(fitted_screen(), tmp_path / "screen.pt")
    return Measured(phantoms, "test", bundles, tmp_path / "work", tmp_path / "screen.pt")


@pytest.fixture
def attackable(measured):
    case = measured.cases[0]
    image, label = measured.volume(case)
    index = measured.chosen(image, 2)
    chosen = torch.zeros(2, dtype=torch.int64)
    return Attackable(measured.guard, measured.screen, measured.clean(case), image[index], label[index], index, chosen)


def test_the_excess_is_of_the_scores_by_which_the_screen_judges(measured, attackable, monkeypatch):
    monkeypatch.setattr("experiments.screen.informed_attack.MARGIN", 0.0)
    case, on = measured.cases[0], attackable
    brighter = (1.2 * on.image).clamp(0, 1)
    for image in (on.image, brighter):
        found = screen_excess(on)(image) + on.screen.threshold
        part = measured.examined(
            image, on.label, index=on.index, position=measured.clean(case).prediction.position[on.index]
        )
        said = judge_among_clean(on.screen, part, on.clean)
        torch.testing.assert_close(found.detach(), said.scores[on.index], rtol=1e-2, atol=1e-2)


def test_every_score_has_a_gradient(attackable):
    on = attackable
    image = on.image.clone().requires_grad_()
    for column in screen_excess(on)(image).unbind(dim=1):
        (gradient,) = torch.autograd.grad(column.sum(), image, retain_graph=True)
        assert torch.isfinite(gradient).all()


def test_an_unknown_score_is_left_out_and_no_other(attackable):
    on = attackable
    every = screen_excess(on)(on.image)
    for column, name in enumerate(SCREEN_SCORES):
        kept = [place for place in range(len(SCREEN_SCORES)) if place != column]
        torch.testing.assert_close(screen_excess(on, unknown=name)(on.image), every[:, kept])


def test_a_score_that_is_unknown_has_no_say_in_what_is_accepted(attackable, monkeypatch):
    def excess(on, *, unknown=""):
        offset = -9.0 if unknown == "bias" else 9.0
        return lambda image: (image - on.image).flatten(1).mean(1, keepdim=True) + offset

    monkeypatch.setattr("experiments.screen.informed_attack.screen_excess", excess)
    on, inside = attackable, attackable.image > 0
    known, unknown = (evade_scores(on, radius=0.5, steps=2, starts=1, unknown=name) for name in ("", "bias"))
    # All that is left to who is rejected is a darker image.
    assert (known[inside] < on.image[inside]).all()
    assert not (unknown[inside] < on.image[inside]).all()


def test_the_attacker_stays_in_the_ball_and_is_accepted_where_the_clean_slice_is(attackable):
    on = attackable
    found = evade_scores(on, radius=0.5, steps=3)
    assert (found - on.image).flatten(1).norm(dim=1).max() <= 0.5
    assert not found[on.image <= 0].any()
    before, after = (screen_excess(on)(image).detach().amax(dim=1) <= 0 for image in (on.image, found))
    assert (after | ~before).all()


def test_another_screen_is_attacked_anew_by_one_who_knows_the_scores_alone(measured, tmp_path):
    case = measured.cases[0]
    names = {known: next(name for name in ATTACKS if ATTACKS[name].knows_scores == known) for known in (True, False)}
    before = {known: measured._attack_file(name, case) for known, name in names.items()}
    other = fitted_screen()
    other.threshold.add_(1)
    save_weights(other, tmp_path / "screen.pt")
    after = {known: measured._attack_file(name, case) for known, name in names.items()}
    assert before[False] == after[False]
    assert before[True] != after[True]
