"""The attacks of the experiments on each target network."""

from __future__ import annotations

from experiments.paper.presets import Preset
from experiments.settings import AttackSetting

__all__ = ["GUARDS", "attack_settings", "baseline_attack_settings"]

# Guards against which an attacker who knows them optimizes: detector, reformer, and whether the divergence counts.
GUARDS = {
    "UNet shifted": ("UNet shifted", "UNet", False),
    "UNet shifted + divergence": ("UNet shifted", "UNet denoiser", True),
}


def attack_settings(preset: Preset) -> list[AttackSetting]:
    """All settings of a preset.

    Beside those of :class:`~experiments.settings.AttackSetting` the form ``"selective_pgd"``: its
    target is the guard that it is made for, its strength the L2 norm as a fraction of that of DAG type A.
    """
    dag = [
        AttackSetting("dag", target, strength, support)
        for support in ("brain", "whole")
        for strength in preset.strengths
        for target in "ABC"
    ]
    noise = [AttackSetting("noise", target, strength, "brain") for strength in preset.strengths for target in "ABC"]
    selective = [
        AttackSetting("selective_pgd", guard, budget, "brain") for guard in GUARDS for budget in preset.pgd_budgets
    ]
    return [*dag, AttackSetting("xie", "derangement", 1.0, "brain"), *noise, *selective]


def baseline_attack_settings() -> list[AttackSetting]:
    """The attacks on the baselines: DAG at full strength, FGSM and PGD, brain only."""
    dag = [AttackSetting("dag", target, 1.0, "brain") for target in "ABC"]
    return [*dag, *(AttackSetting(form, "label", 1.0, "brain") for form in ("fgsm", "pgd"))]
