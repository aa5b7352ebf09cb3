"""Put the guard in front of a bundle, assemble a guarded one, export and pack it."""

# Not ``assemble``: Python warns when a module that the package has imported is run as a program.
from monai_advdefense.bundle_tools.guard_parts import load_detector, load_reformer
from monai_advdefense.bundle_tools.guard_transforms import Guard

__all__ = ["Guard", "load_detector", "load_reformer"]
