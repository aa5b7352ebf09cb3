from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from experiments.screen import fit
from experiments.screen.fit import RATE, VOLUME_RATE, fit_shipped_screen, main
from experiments.screen.measured import Measured
from monai_advdefense.metrics import dice_from_counts
from tests.guard.phantom_screen import fitted_state


def test_it_is_fitted_on_all_volumes_but_those_of_the_test_split_with_their_dice(
    phantoms, bundles, write_weights, tmp_path, monkeypatch
):
    write_weights()
    given = {}

    def fit_screen(screen, volumes, **options):
        given.update(options, subjects=[volume.subject for volume in volumes], dice=[volume.dice for volume in volumes])
        screen.load_state_dict(fitted_state())
        return {"threshold": 1.0}

    monkeypatch.setattr(fit, "fit_screen", fit_screen)
    output = fit_shipped_screen(phantoms, tmp_path / "screen.pt", bundles=bundles, work_dir=tmp_path / "work")
    measured = {name: Measured(phantoms, name, bundles, tmp_path / "work", output) for name in ("train", "test")}
    assert len(given["subjects"]) == 6
    assert not {case["subject"] for case in measured["test"].cases} & set(given["subjects"])
    assert (given["false_positive_rate"], given["volume_rate"]) == (RATE, VOLUME_RATE)
    first = measured["train"].clean(measured["train"].cases[0]).reformed.sum(dim=0)
    np.testing.assert_array_equal(given["dice"][0], dice_from_counts(first)[1:])
    assert torch.equal(torch.load(output, weights_only=True)["threshold"], fitted_state()["threshold"])
    assert json.loads((tmp_path / "screen.calibration.json").read_text())["threshold"] == 1.0


def test_too_few_subjects_are_refused_and_nothing_is_written(phantoms, bundles, write_weights, tmp_path, capsys):
    write_weights()
    places = {"dataset_dir": phantoms, "bundles": bundles, "work_dir": tmp_path / "work", "output": tmp_path / "s.pt"}
    with pytest.raises(SystemExit):
        main([word for name, place in places.items() for word in (f"--{name}", str(place))])
    assert "at least 19 subjects" in capsys.readouterr().err
    assert not (tmp_path / "s.pt").exists()
