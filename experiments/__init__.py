"""The figures of the project, computed on the test split, resumable.

The command is the module :mod:`experiments.evaluation`.
"""

from experiments.artefact import Artefact
from experiments.figures import attack_figures, guard_figures, volume_dice
from experiments.measurement import evenly_spaced, measure
from experiments.settings import AttackSetting, attack_settings, attacked

__all__ = [
    "Artefact",
    "AttackSetting",
    "attack_figures",
    "attack_settings",
    "attacked",
    "evenly_spaced",
    "guard_figures",
    "measure",
    "volume_dice",
]
