from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.bundles import BUNDLES
from experiments.paper.__main__ import main
from experiments.paper.baseline_networks import DEFENCES
from experiments.paper.baselines import baseline_stages, baseline_table, collect_baselines
from experiments.paper.experiment import Experiment
from experiments.paper.names import NO_REFORMER
from experiments.paper.output import write, write_baselines
from experiments.paper.page import results_page
from experiments.paper.presets import PRESETS
from experiments.paper.quantities import quantities
from experiments.paper.training import is_trained, weights
from experiments.tables import CLEAN
from monai_advdefense.handlers import Resume

COMMAND = ["--preset", "smoke_baselines", "--work_dir"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Folder of one whole run."""
    work = tmp_path_factory.mktemp("baselines")
    # Sums depend on the number of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    main([*COMMAND, str(work)])
    torch.set_num_threads(threads)
    return work


def _experiment(work, preset="smoke_baselines", data=None):
    return Experiment(PRESETS[preset], data or work / "phantoms", work, BUNDLES, 0)


def _rows(folder):
    with (folder / "baselines.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_defence_has_a_row_for_clean_slices_and_each_attack(work):
    rows = _rows(work / "results")
    for defence in DEFENCES:
        here = [row for row in rows if row["defence"] == defence]
        kinds = [(row["form"], row["type"]) for row in here]
        types = ("A+B+C", "clean+A+B+C", "A", "B", "C")
        assert kinds == [("clean", ""), *(("dag", t) for t in types), ("fgsm", "label"), ("pgd", "label")]
        assert all(float(row["coverage"]) == 1 for row in here)
        assert all(row["dice"] and row["accepted_and_bad"] for row in here)
    white_box = {row["defence"] for row in rows if row["white_box"] and row["attacked"]}
    assert white_box == set(DEFENCES) - {"Defense-GAN"}


def test_the_numbers_are_those_of_the_first_run(work, differences):
    """See the same test of the other presets."""
    trained = torch.load(weights(_experiment(work).network("target", "UNet")))
    checksum = hashlib.sha256(b"".join(values.numpy().tobytes() for values in trained.values())).hexdigest()[:16]
    told = differences(work / "results", Path(__file__).with_name("smoke_baselines.json"))
    if checksum != "a59ba79e6ca9b3c0":
        told = [line for line in told if line.endswith(("columns", "not in both"))]
    assert told == []


def test_the_page_tells_of_every_defence_and_its_attacker(work):
    page = (work / "results" / "baselines.md").read_text(encoding="utf-8")
    assert all(name in page for name in [*list(DEFENCES)[1:], "no defence"])
    assert "against each (white box)" in page
    assert "the attacker does not know of it" in page


def test_a_finished_run_computes_nothing_again(work):
    before = {path: path.stat().st_mtime_ns for path in [*work.rglob("*.npz"), *work.rglob("*.pt")]}
    main([*COMMAND, str(work)])
    assert {path: path.stat().st_mtime_ns for path in [*work.rglob("*.npz"), *work.rglob("*.pt")]} == before


def test_networks_and_attacks_are_shared_with_the_other_preset(work):
    baselines, other = _experiment(work), _experiment(work, "smoke")
    assert baselines.network("target", "UNet") == other.network("target", "UNet")
    for kind in "ABC":
        attack = f"dag_{kind}_1_brain"
        assert baselines.attack("UNet", attack).path == other.attack("UNet", attack).path
        names = (NO_REFORMER, "UNet", attack)
        assert baselines.overlaps(*names).path == other.overlaps(*names).path


def test_each_defended_network_is_attacked_by_itself_and_defense_gan_is_not(work):
    experiment = _experiment(work)
    results = collect_baselines(experiment, {})
    networks = [network for network, reformer in DEFENCES.values() if reformer == NO_REFORMER]
    images = [experiment.attack(network, "pgd_label_1_brain").load()["image"] for network in networks]
    assert all((a != b).any() for place, a in enumerate(images) for b in images[:place])
    assert (results.norm["Defense-GAN", "dag_A_1_brain"] == results.norm[NO_REFORMER, "dag_A_1_brain"]).all()
    reformed = experiment.load("reformer", "Defense-GAN")(experiment.slices("test").image)
    with torch.no_grad():
        predicted = experiment.load("target", "UNet")(reformed).argmax(1)
    voxels = np.stack([(predicted == label).flatten(1).sum(1).numpy() for label in range(4)], axis=1)
    np.testing.assert_array_equal(results.counts["Defense-GAN", "UNet", CLEAN][..., 1], voxels)


def test_the_student_depends_on_its_teacher_and_comes_after_it(work):
    experiment = _experiment(work)
    student = experiment.network("target", "UNet distilled")
    assert student.settings["teacher"] == experiment.network("target", "UNet teacher").digest
    found = [torch.load(weights(experiment.network("target", name))) for name in ("UNet teacher", "UNet distilled")]
    assert any((found[0][name] != found[1][name]).any() for name in found[0])
    order = [
        task.name
        for _, tasks in baseline_stages(experiment, dict.fromkeys(("UNet", "Defense-GAN"), 1.0))
        for task in tasks
    ]
    assert order.index("target UNet teacher") < order.index("target UNet distilled")


@pytest.mark.parametrize(
    ("role", "name"), [("reformer", "Defense-GAN"), ("target", "UNet adversarial PGD"), ("target", "UNet distilled")]
)
def test_a_stopped_training_ends_as_an_unbroken_one(work, tmp_path, monkeypatch, role, name):
    unbroken, stopped = _experiment(work), _experiment(tmp_path, data=work / "phantoms")
    assert stopped.network(role, name).digest == unbroken.network(role, name).digest
    teacher = weights(stopped.network("target", "UNet teacher"))
    teacher.parent.mkdir(parents=True)
    teacher.write_bytes(weights(unbroken.network("target", "UNet teacher")).read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(Resume, "remove_older", lambda *_: 1 / 0)
        with pytest.raises(RuntimeError):
            stopped.train(role, name)
    assert not is_trained(stopped.network(role, name))
    stopped.train(role, name)
    expected, found = (torch.load(weights(each.network(role, name))) for each in (unbroken, stopped))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_page_of_all_results_takes_them_in(work, results, tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.paper.output.plots", lambda *_: {})
    baselines = collect_baselines(_experiment(work), {**results.facts, "preset": "smoke_baselines"})
    write_baselines(baselines, tmp_path / "alone", resamples=5)
    assert not (tmp_path / "alone" / "results.md").exists()
    page = write(results, tmp_path, resamples=5)
    before = page.read_text(encoding="utf-8")
    assert "Baselines" not in before
    write_baselines(baselines, tmp_path, resamples=5)
    after = page.read_text(encoding="utf-8")
    assert "Baselines at full strength" in after
    assert "preset smoke_baselines" in after
    for name in ("baselines.csv", "baselines_facts.csv"):
        (tmp_path / name).unlink()
    assert results_page(tmp_path) == before


def test_a_defence_has_the_figures_and_norms_of_the_attacks_on_its_own_network(results):
    """Made-up results in which each defence stands in the place of a reformer."""
    reformers = dict(zip(DEFENCES, (NO_REFORMER, "UNet", "DenseNet", "Autoencoder I", "UNet denoiser"), strict=True))
    settings = {name: s for name, s in results.settings.items() if s.form == "dag" and s.support == "brain"}
    behind = {
        (defence, "UNet", name): results.counts[reformer, "UNet", name]
        for defence, reformer in reformers.items()
        for name in (CLEAN, *settings)
    }
    norm = {
        (defence, name): np.full(len(results.subject), float(place))
        for place, defence in enumerate(DEFENCES)
        for name in settings
    }
    made_up = replace(
        results,
        **{"targets": ("UNet",), "pairs": tuple(("none", defence) for defence in DEFENCES), "settings": settings},
        **{"counts": behind, "soft_dice": {key: counts[:, 1, 0] / 100 for key, counts in behind.items()}},
        **{"norm": norm, "flipped": norm, "detectors": (), "scores": {}, "calibration": {}},
    )
    found = quantities(made_up, resamples=5)
    table = baseline_table(made_up, found)
    assert list(table["defence"].unique()) == list(DEFENCES)
    for place, (defence, (network, reformer)) in enumerate(DEFENCES.items()):
        rows = table[table["defence"] == defence].set_index("type")
        assert rows.loc["A", "norm"] == rows.loc["A+B+C", "norm"] == place
        assert (rows.loc["A", "attacked"], rows.loc["", "attacked"]) == (network, "")
        assert (rows.loc["A", "white_box"] == "yes") == (reformer == NO_REFORMER)
        dice = found.guards["none", defence, "UNet", "dag_A_1_brain"]["dice"].estimate
        assert rows.loc["A", "dice"] == dice
        assert np.isnan(rows.loc["", "norm"])
        assert rows.loc["A+B+C", "slices"] == 3 * rows.loc["", "slices"]
