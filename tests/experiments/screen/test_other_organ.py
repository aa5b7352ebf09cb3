from __future__ import annotations

import pytest

from experiments.screen import other_organ as module
from experiments.screen.other_organ import NEW, other_organ
from monai_advdefense.errors import InputError
from monai_advdefense.weights import save_weights
from tests.guard.phantom_screen import CLASSES, fitted_screen, phantom


def test_false_alarms_and_accidents_are_of_new_volumes_by_the_screen_that_was_calibrated(
    bundles, write_weights, monkeypatch
):
    write_weights()
    calibrated = []

    def calibrate(composite, data, output):
        calibrated.extend(sorted(path.name for path in data.iterdir()))
        save_weights(fitted_screen(), output)
        return 1.0

    def slices(composite, path):
        assert path.name not in calibrated
        return phantom(int(path.name[8:11]))[0]

    monkeypatch.setattr(module, "_calibrate", calibrate)
    monkeypatch.setattr(module, "_slices", slices)
    monkeypatch.setattr(module, "bundle_config", lambda *_: {"num_classes": CLASSES})
    row = other_organ(bundles, ["inverted contrast"])
    assert len(calibrated) == row["calibrated_volumes"] == 20
    assert (row["seconds"], row["volumes"]) == (1.0, NEW)
    assert row["accidents_rejected"] > 0.9
    assert row["accidents_not_clean"] == 1
    assert 0 <= row["false_alarms"] <= 1


def test_without_weights_nothing_is_calibrated(bundles):
    with pytest.raises(InputError, match="found none"):
        other_organ(bundles, ["blur"])
