from __future__ import annotations

import csv
import hashlib
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.bundles import BUNDLES
from experiments.paper.__main__ import main
from experiments.paper.experiment import Experiment
from experiments.paper.names import COMBINED, TARGETS
from experiments.paper.presets import PRESETS
from experiments.paper.results import collect
from experiments.tables import CLEAN
from tests.run_python import run_by_two

# When to kill the run: as soon as there are so many files of a kind.
MOMENTS = [("networks/*/record.json", 9), ("scores/*.npz", 150)]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Folder of one whole run of the smoke preset."""
    work = tmp_path_factory.mktemp("unbroken")
    # Sums depend on the number of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    main(["--preset", "smoke", "--work_dir", str(work)])
    torch.set_num_threads(threads)
    return work


def test_one_command_makes_every_table_and_figure(unbroken):
    results = unbroken / "results"
    page = (results / "results.md").read_text(encoding="utf-8")
    assert "UNet shifted" in page
    tables = {path.stem: list(csv.DictReader(path.open(encoding="utf-8"))) for path in results.glob("*.csv")}
    assert tables
    assert all(rows for rows in tables.values())
    figures = {path.stem for path in results.rglob("*.png")}
    assert figures == {"figure_2", "figure_3", "figure_4", "roc", "risk_coverage"}
    assert all(f"]({name}.png)" in page for name in figures)


def test_the_numbers_are_those_of_the_first_run(unbroken, differences):
    """Of other processors each training rounds otherwise: there only what does not depend on it can be compared."""
    weights = torch.load(next((unbroken / "networks").glob("target_UNet_*")) / "model.pt")
    checksum = hashlib.sha256(b"".join(values.numpy().tobytes() for values in weights.values())).hexdigest()[:16]
    told = differences(unbroken / "results", Path(__file__).with_name("smoke.json"))
    if checksum != "a59ba79e6ca9b3c0":
        told = [line for line in told if line.endswith(("columns", "not in both"))]
    assert told == []


def test_a_finished_run_computes_nothing_again(unbroken, monkeypatch):
    # Tables and figures are written anew, which takes a while.
    monkeypatch.setattr("experiments.paper.__main__.write", lambda *_, **__: None)
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*.npz")}
    main(["--preset", "smoke", "--work_dir", str(unbroken)])
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*.npz")} == before


def test_the_sum_of_both_scores_is_what_the_guard_decides_by(unbroken):
    experiment = Experiment(PRESETS["smoke"], unbroken / "phantoms", unbroken, BUNDLES, 0)
    found = collect(experiment, {}).scores
    for target in TARGETS:
        guard = experiment.guard(target, COMBINED)
        for name in (CLEAN, "dag_A_1_brain"):
            with torch.no_grad():
                expected = guard.score(experiment.images(target, name)).cpu().numpy()
            np.testing.assert_allclose(found[COMBINED, target, name], expected, rtol=1e-3, atol=1e-3)


def _reached(folder, pattern, count):
    return len(list(folder.glob(pattern))) >= count


def test_two_processes_that_are_killed_again_and_again_end_in_the_same_tables(unbroken, tmp_path):
    command = ["-m", "experiments.paper", "--preset", "smoke", "--work_dir", str(tmp_path)]
    for moment in MOMENTS:
        for done in run_by_two(command, kill_when=lambda moment=moment: _reached(tmp_path, *moment)):
            assert done.returncode == -signal.SIGKILL, done.stderr
    for done in run_by_two(command):
        assert done.returncode == 0, done.stderr
    tables = sorted(path.name for path in (unbroken / "results").glob("*.csv"))
    assert tables == sorted(path.name for path in (tmp_path / "results").glob("*.csv"))
    for name in tables:
        # The file of facts tells of the run, the others of its results.
        if name != "facts.csv":
            assert (tmp_path / "results" / name).read_bytes() == (unbroken / "results" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "large"], "argument --preset: invalid choice: 'large'"),
        (["--preset", "small"], "dataset_dir: expected a data set"),
        (["--preset", "small", "--dataset_dir", "nowhere"], "nowhere"),
    ],
)
def test_bad_arguments_are_named(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*arguments, "--work_dir", str(tmp_path)])
    assert stopped.value.code == 2 or isinstance(stopped.value.code, str)
    assert message in capsys.readouterr().err
