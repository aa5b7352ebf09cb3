"""Put the guard in front of a bundle, assemble a guarded one, export and pack it."""

# Not ``assemble``: Python warns when a module that the package has imported is run as a program.
from monai_advdefense.bundle_tools.guard_calibration import GuardCalibration
from monai_advdefense.bundle_tools.guard_in_front import ScreenGuard
from monai_advdefense.bundle_tools.guard_parts import load_detector, load_reformer
from monai_advdefense.bundle_tools.guard_report import GuardReport
from monai_advdefense.bundle_tools.spectral_guard import Guard

__all__ = ["Guard", "GuardCalibration", "GuardReport", "ScreenGuard", "load_detector", "load_reformer"]
