"""Overlays of another bundle's inference that put a guard in front of its network."""

from __future__ import annotations

from bundle_configs.components import Entries, own, same

__all__ = ["guard", "guard_calibrate"]

_PARTS = "network=@evaluator#network, inferer=@evaluator#inferer"


def guard() -> Entries:
    """The screen in front of a network, with tables and reports."""
    return {
        "exit_code": "$import monai_advdefense.exit_code",
        "screen_path": None,
        "fail_on_alarm": False,
        "guard": own(
            "bundle_tools.ScreenGuard",
            screen_path="@screen_path",
            slice_dim=1,
            axcodes="RAS",
            channels=None,
            value_range=None,
            slice_size=None,
            smoothing=0.75,
            label=255,
            key="image",
            pred_key="pred",
        ),
        "guard_report": own(
            "bundle_tools.GuardReport",
            **same("guard", "dataset_dir", "output_dir"),
            bundle="@bundle_root",
            fail_on_alarm="@fail_on_alarm",
        ),
        "dataset#transform": "$@guard.preprocessing(@preprocessing)",
        "evaluator#postprocessing": f"$@guard_report.postprocessing(@guard.postprocessing(@postprocessing, {_PARTS}))",
        # An evaluator counts the volumes when it is built.
        "run": ["$@guard_report.leave_out_broken(@dataset)", "$@guard_report.run(@evaluator)"],
    }


def guard_calibrate() -> Entries:
    """Over that overlay: the screen anew, on clean volumes that the network segments."""
    return {
        "false_positive_rate": 0.03,
        "volume_rate": 0.05,
        "guard_calibration": own(
            "bundle_tools.GuardCalibration",
            **same("guard", "dataset", "false_positive_rate", "volume_rate"),
        ),
        "evaluator#postprocessing": f"$@guard_calibration.postprocessing(@postprocessing, {_PARTS})",
        "run": ["$@guard_calibration.run(@evaluator)", "$@guard_calibration.fit()"],
    }
