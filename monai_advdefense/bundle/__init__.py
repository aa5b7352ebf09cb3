"""What the bundles' configurations call beside transforms and handlers, and the assembly of bundles."""

# Not ``assemble``: Python warns when a module that the package has imported is run as a program.
from monai_advdefense.bundle.accepted import accepted_pairs, accepted_slices, detector_decisions
from monai_advdefense.bundle.attack_inferer import AttackInferer
from monai_advdefense.bundle.reformed_batch import ReformedBatch

__all__ = ["AttackInferer", "ReformedBatch", "accepted_pairs", "accepted_slices", "detector_decisions"]
