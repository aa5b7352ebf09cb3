from __future__ import annotations

import csv
import gzip
import shutil

import pytest

from experiments import attacks
from experiments.attacks import attack_settings
from experiments.corruptions import CORRUPTIONS
from experiments.evaluation.__main__ import evaluate, main
from monai_advdefense.errors import InputError


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run(phantoms, bundles, tmp_path):
    def run(dataset_dir=phantoms, **options):
        path = evaluate(
            dataset_dir,
            bundles=bundles,
            work_dir=tmp_path / "work",
            slices=2,
            output=tmp_path / "docs" / "results.md",
            resamples=10,
            **options,
        )
        return path.read_text()

    return run


@pytest.fixture
def forbid(monkeypatch):
    """Any attack from here on is an error."""

    def forbidden(*args, **kwargs):
        raise RuntimeError("computed again")

    def forbid():
        monkeypatch.setattr(attacks, "dag", forbidden)
        monkeypatch.setattr(attacks, "rician_noise", forbidden)

    return forbid


def test_the_page_has_every_row_and_a_second_run_computes_nothing(run, write_weights, forbid, tmp_path):
    write_weights()
    page = run()
    names = ("segmenters", "guard", "choice", "attacks", "corruptions", "claims")
    tables = {name: _rows(tmp_path / "docs" / "results" / f"{name}.csv") for name in names}
    assert len(tables["attacks"]) == len(attack_settings(whole=(1.0,), noise="A"))
    assert [row["target"] for row in tables["corruptions"]] == list(CORRUPTIONS)
    assert all(f"| {row['target']} | {float(row['tpr_shipped']):.3f}" in page for row in tables["corruptions"])
    assert len(tables["claims"]) == 6
    means = {row["network"]: row for row in tables["segmenters"] if row["structure"] == "mean"}
    assert means["SegNet"]["size"] == means["DenseNet"]["size"] == "not trained"
    # The segmenter in the guard has the weights of the segmentation bundle.
    assert means["UNet"]["dice"] == means["segmenter in the guard"]["dice"] != ""
    assert float(tables["guard"][0]["coverage"]) == pytest.approx(1 - float(tables["guard"][0]["false_positive_rate"]))
    for row in tables["attacks"]:
        assert float(row["tpr_shipped"]) == pytest.approx(1 - float(row["coverage"]))
    # Brain only, three targets at three strengths, on slices of other volumes than those of the test split.
    assert len(tables["choice"]) == 9
    assert {row["support"] for row in tables["choice"]} == {"brain"}
    # Two volumes, all structures, all claims, two tables of attacks: nothing is left out of the page.
    assert page.count("| DAG A, ") + page.count("| DAG B, ") + page.count("| DAG C, ") == 2 * 12
    assert page.count("| noise of the norm of DAG A, ") == 2 * 3
    assert page.count("| informed attacker of guard, ") == 2 * 3
    assert all(row["claim"] in page and f"| {row['verdict']} |" in page for row in tables["claims"])
    assert all(row["structure"] in page for row in tables["segmenters"] if row["structure"] != "mean")
    forbid()
    assert run() == page


def test_noise_has_the_norm_of_the_attack(run, write_weights, tmp_path):
    write_weights()
    run()
    norms = {
        (row["form"], row["strength"]): float(row["norm"])
        for row in _rows(tmp_path / "docs" / "results" / "attacks.csv")
        if row["target"] == "A" and row["support"] == "brain"
    }
    for strength in ("1", "0.5", "0.125"):
        assert norms["noise", strength] == pytest.approx(norms["dag", strength], rel=1e-3)


def test_other_weights_are_measured_anew(run, write_weights, forbid):
    write_weights()
    run()
    write_weights(seed=1)
    forbid()
    with pytest.raises(RuntimeError, match="computed again"):
        run()


def _longer_label(folder):
    path = folder / "labels" / "1003.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 0))


def _other_subjects(folder):
    path = folder / "subjects.csv"
    path.write_text(path.read_text().replace("P0003", "P9999"))


@pytest.mark.parametrize("change", [_longer_label, _other_subjects])
def test_other_labels_or_subjects_are_measured_anew(run, write_weights, forbid, phantoms, tmp_path, change):
    write_weights()
    folder = shutil.copytree(phantoms, tmp_path / phantoms.name)
    run(folder)
    change(folder)
    forbid()
    with pytest.raises(RuntimeError, match="computed again"):
        run(folder)


def test_a_run_that_was_stopped_goes_on(run, write_weights, monkeypatch):
    write_weights()
    calls = []
    attack = attacks.dag

    def counted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return attack(*args, **kwargs)

    monkeypatch.setattr(attacks, "dag", counted)
    with pytest.raises(KeyboardInterrupt):
        run()
    run()
    # One batch each: 13 settings with DAG on the test split, of which one was tried twice, and 9 on validation.
    assert len(calls) == 14 + 9


def test_without_weights_of_the_guard_nothing_is_measured(run, tmp_path):
    with pytest.raises(InputError, match="expected the weights of the defended segmenter"):
        run()
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize(("options", "found"), [(["--slices", "0"], "found 0 and 1000"), ([], "classes.csv")])
def test_bad_input_ends_with_one_line(bundles, tmp_path, capsys, options, found):
    arguments = ["--dataset_dir", str(tmp_path), "--bundles", str(bundles), "--work_dir", str(tmp_path / "w"), *options]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert found in capsys.readouterr().err.strip().splitlines()[-1] or not options


def test_an_uncalibrated_guard_is_refused(run, write_weights):
    write_weights(threshold=float("nan"))
    with pytest.raises(ValueError, match="calibrated"):
        run()
