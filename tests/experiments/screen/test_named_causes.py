from __future__ import annotations

from experiments.screen.named_causes import named_causes
from tests.guard.phantom_screen import fitted_screen, phantom


def test_causes_of_spoilt_phantoms_are_counted():
    volumes = [phantom(seed)[0] for seed in (40, 41)]
    slices, whole = named_causes(fitted_screen(), volumes, "squared intensities")
    assert whole == {"intensity": 2}
    assert slices["intensity"] > 0.6 * sum(slices.values()) > 1
