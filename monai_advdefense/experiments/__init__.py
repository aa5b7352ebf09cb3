"""The figures of the project, computed on the test split, resumable.

The command is the module :mod:`monai_advdefense.experiments.evaluation`.
"""

from monai_advdefense.experiments.artefact import Artefact
from monai_advdefense.experiments.figures import attack_figures, guard_figures, volume_dice
from monai_advdefense.experiments.measurement import evenly_spaced, measure
from monai_advdefense.experiments.settings import AttackSetting, attack_settings, attacked

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
