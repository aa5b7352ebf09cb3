from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.screen import against_attacker as module
from experiments.screen.against_attacker import ATTACKED, HELD_OUT, against_attacker, main, with_attacked
from experiments.screen.conditions import NORMS
from experiments.screen.fit import RATE
from experiments.screen.measured import Measured
from experiments.tables import read_table
from monai_advdefense.guard.fit_typicality import fit_typicality_numbers
from monai_advdefense.guard.volume_numbers import SliceNumbers, features_of
from tests.guard.phantom_screen import clean_volumes, fitted_state, phantom


def _attacked(seed):
    """Numbers of slices of a phantom that are a little smoother, so not like noise."""
    image, _ = phantom(seed)
    numbers = clean_volumes()[seed].image.clean
    rows = torch.arange(5, 25)
    smooth = torch.nn.functional.avg_pool2d(image[rows], 3, stride=1, padding=1)
    spoilt = image[rows].lerp(smooth, 0.2) * (image[rows] > 0)
    return SliceNumbers(features_of(spoilt), numbers.position[rows], numbers.clean_area[rows])


def test_attacked_slices_take_the_place_of_noisy_ones():
    volume = clean_volumes()[0]
    attacked = [_attacked(0), _attacked(1)]
    found = with_attacked(volume, attacked).image
    torch.testing.assert_close(found.noisy.position, torch.cat([part.position for part in attacked]))
    torch.testing.assert_close(found.noisy.clean_area, torch.cat([part.clean_area for part in attacked]))
    for name in volume.image.noisy.features:
        torch.testing.assert_close(found.noisy.features[name], torch.cat([part.features[name] for part in attacked]))
    assert found.clean is volume.image.clean
    assert found.faulty is volume.image.faulty
    assert not len(with_attacked(volume, []).image.noisy.position)


def test_who_was_fitted_on_attacked_slices_suspects_those_of_another_subject_more():
    unseen = _attacked(8)
    odds = []
    for known in (False, True):
        given = [with_attacked(v, [_attacked(n)]) if known else v for n, v in enumerate(clean_volumes()[:8])]
        model = fit_typicality_numbers([v.image for v in given], channels=1, false_positive_rate=0.1).model
        z = model.standardized(
            unseen.features, unseen.position, unseen.features["area"].log(), torch.zeros(len(unseen.position), 0)
        )
        odds.append(model.noise_odds(z).median())
    assert odds[1] > odds[0]


@pytest.fixture
def measured(phantoms, bundles, write_weights, tmp_path, monkeypatch):
    write_weights()
    monkeypatch.setattr(module, "STEPS", 2)
    return Measured(phantoms, "test", bundles, tmp_path / "work", tmp_path)


@pytest.fixture
def fits(monkeypatch):
    """Screens are that of the phantoms, each with another threshold; what they were to be fitted on."""
    given = []

    def fit(screen, volumes, *, false_positive_rate, volume_rate):
        assert false_positive_rate == RATE
        given.append({volume.subject: len(volume.image.noisy.position) for volume in volumes})
        screen.load_state_dict({**fitted_state(), "threshold": fitted_state()["threshold"] + len(given)})
        return {"threshold": float(screen.threshold)}

    monkeypatch.setattr(module, "fit_screen", fit)
    return given


def _subjects(measured, split):
    return {case["subject"] for case in replace(measured, split=split).cases}


def test_training_subjects_alone_are_attacked_for_the_refit_and_others_are_held_out(measured, fits):
    found = against_attacker(measured, rounds=1)
    attacked, held_out = _subjects(measured, ATTACKED), _subjects(measured, HELD_OUT) | _subjects(measured, "test")
    first, second = fits
    assert not held_out & set(first)
    assert all(first.values())
    assert {name: count for name, count in second.items() if count} == dict.fromkeys(attacked, 1)
    assert list(found["round"]) == [0, 1]
    assert (found["slices"] == 9).all()
    said = [sum(int(part.rpartition(" ")[2]) for part in row.split("; ")) for row in found["spoke"]]
    assert said == list(found["slices"])
    by_norm = sum(found[f"accepted_and_bad_{norm:g}"] for norm in NORMS)
    assert (by_norm == found["accepted_and_bad"]).all()


def test_each_slice_is_attacked_at_a_place_and_norm_of_its_own(measured, fits, monkeypatch):
    seen = []

    def attack(on, *, radius, steps, starts):
        seen.extend(zip(on.index.tolist(), radius.tolist(), strict=True))
        return on.image

    monkeypatch.setattr(module, "evade_scores", attack)
    against_attacker(measured, rounds=0)
    # The phantoms show five slices that are large enough.
    assert {place for place, _ in seen} == {2, 4, 6, 8, 10}
    assert len(seen) == 9
    assert {round(norm, 6) for _, norm in seen} == set(NORMS)


@pytest.mark.parametrize(("counts", "screens"), [([9, 9], 2), ([9, 7, 8], 3), ([9, 7, 5, 4], 4)])
def test_it_ends_with_a_refit_that_gains_nothing(counts, screens, measured, fits, monkeypatch):
    left = iter([*counts, 0, 0])
    monkeypatch.setattr(module, "_volumes", lambda *_: [])
    monkeypatch.setattr(module, "_attacked", lambda *_: None)
    monkeypatch.setattr(module, "_numbers", lambda *_: None)
    monkeypatch.setattr(module, "_noise", lambda *_: {})
    monkeypatch.setattr(module, "_row", lambda *_: {"accepted_and_bad": next(left)})
    assert list(against_attacker(measured, rounds=3)["accepted_and_bad"]) == counts
    assert len(fits) == screens


def test_the_command_writes_a_table_and_goes_on_where_it_was_stopped(measured, fits, tmp_path, monkeypatch):
    places = {
        "dataset_dir": measured.dataset_dir,
        "bundles": measured.bundles,
        "work_dir": measured.work_dir,
        "output": tmp_path / "results",
    }
    arguments = [word for name, place in places.items() for word in (f"--{name}", str(place))]
    main(arguments)
    path, count = tmp_path / "results" / "screen_against_attacker.csv", len(fits)
    text = path.read_text(encoding="utf-8")
    table = read_table(path)
    assert table["round"].iloc[0] == 0
    assert (table["bad"] >= table["accepted_and_bad"]).all()
    path.unlink()
    monkeypatch.setattr(module, "evade_scores", None)
    main(arguments)
    assert path.read_text(encoding="utf-8") == text
    assert len(fits) == count
