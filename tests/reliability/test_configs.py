"""Our configurations name only parts of MONAI, torch and ignite; `advdefense check` names what those of others run."""

from __future__ import annotations

from pathlib import Path

from monai_advdefense.bundle_tools.check_configs import check_configs
from tests.bundle_tools.test_check_configs import HARMLESS, HOSTILE, bundle  # noqa: F401

BUNDLES = sorted(path for path in (Path(__file__).parents[2] / "bundles").iterdir() if (path / "configs").is_dir())


def test_our_bundles_run_nothing_else(figure):
    found = {path: message for folder in BUNDLES for path, message in check_configs(folder).items()}
    assert [message for message in found.values() if message] == []
    assert len(found) >= 20
    figure(f"0 findings in {len(found)} files of {len(BUNDLES)} bundles")


def test_hostile_configurations_are_told_from_harmless_ones(bundle, figure):  # noqa: F811
    named = {
        kind: sum(any(check_configs(bundle(config)).values()) for config in configs.values())
        for kind, configs in {"hostile": HOSTILE, "harmless": HARMLESS}.items()
    }
    assert named == {"hostile": len(HOSTILE), "harmless": 0}
    assert len(HOSTILE) >= 40
    figure(f"{named['hostile']} of {len(HOSTILE)} hostile ones named, 0 of {len(HARMLESS)} harmless ones")
