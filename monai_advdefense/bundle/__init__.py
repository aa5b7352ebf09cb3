"""What the bundles' configurations call beside transforms and handlers, and the assembly of bundles."""

# Not ``assemble``: Python warns when a module that the package has imported is run as a program.
from monai_advdefense.bundle.accepted import accepted_pairs, accepted_slices, detector_decisions
from monai_advdefense.bundle.attack_inferer import AttackInferer
from monai_advdefense.bundle.guard import Guard, guard_from_bundle
from monai_advdefense.bundle.guard_networks import load_detector, load_reformer
from monai_advdefense.bundle.reformed_batch import ReformedBatch

__all__ = [
    "AttackInferer",
    "Guard",
    "ReformedBatch",
    "accepted_pairs",
    "accepted_slices",
    "detector_decisions",
    "guard_from_bundle",
    "load_detector",
    "load_reformer",
]
