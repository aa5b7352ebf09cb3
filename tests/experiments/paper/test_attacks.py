from __future__ import annotations

from dataclasses import replace

from experiments.paper.attacks import GUARDS, attack_settings
from experiments.paper.presets import PRESETS


def test_every_strength_has_all_types_on_both_supports_and_a_noise_control():
    settings = attack_settings(PRESETS["small"])
    found = {(s.form, s.target, s.strength, s.support) for s in settings}
    assert len(found) == len(settings) == len({s.name for s in settings})
    for strength in (1.0, 0.5, 0.125):
        for target in "ABC":
            assert {("dag", target, strength, "brain"), ("dag", target, strength, "whole")} <= found
            assert ("noise", target, strength, "brain") in found


def test_the_attacker_who_knows_the_guard_has_each_budget_against_each_guard():
    settings = attack_settings(replace(PRESETS["small"], pgd_budgets=(1.0, 0.1)))
    found = {(s.target, s.strength) for s in settings if s.form == "selective_pgd"}
    assert found == {(guard, budget) for guard in GUARDS for budget in (1.0, 0.1)}
