from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.screen import left_out
from experiments.screen.left_out import LEFT_OUT, left_out_verdicts
from monai_advdefense.errors import CalibrationError
from tests.guard.phantom_screen import CLASSES, RATE, clean_volume, clean_volumes, fitted_state


def test_every_volume_is_judged_once_by_a_screen_that_has_not_seen_its_subject(monkeypatch):
    fits = []

    def fit(screen, volumes, *, false_positive_rate, volume_rate):
        fits.append(({volume.subject for volume in volumes}, (false_positive_rate, volume_rate)))
        screen.load_state_dict(fitted_state())

    monkeypatch.setattr(left_out, "fit_screen", fit)
    odd = clean_volume(40)
    features = {name: values * 3 for name, values in odd.image.clean.features.items() if name != "area"}
    features["area"] = odd.image.clean.features["area"]
    volumes = [
        *clean_volumes(),
        replace(odd, image=replace(odd.image, clean=replace(odd.image.clean, features=features))),
    ]
    verdicts = left_out_verdicts(volumes, CLASSES, false_positive_rate=0.1, volume_rate=0.2, count=3)
    assert len(verdicts) == 10
    assert 1 <= sum(verdict != "clean" for verdict in verdicts) <= 4
    everyone = {volume.subject for volume in volumes}
    unseen = [everyone - seen for seen, _ in fits]
    assert sorted(name for names in unseen for name in names) == sorted(everyone)
    assert [len(names) for names in unseen] == [3, 3, 3, 1]
    assert {rates for _, rates in fits} == {(0.1, 0.2)}


def test_too_few_subjects_for_the_rate_are_refused():
    with pytest.raises(CalibrationError, match=f"found {9 - LEFT_OUT}"):
        left_out_verdicts(clean_volumes(), CLASSES, false_positive_rate=RATE, volume_rate=RATE)
