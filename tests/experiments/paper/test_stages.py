from __future__ import annotations

from collections import Counter

import pytest
import torch

from experiments.artefact import Artefact
from experiments.bundles import BUNDLES
from experiments.paper.baselines import baseline_stages
from experiments.paper.experiment import Experiment
from experiments.paper.names import DETECTORS, NO_REFORMER, REFORMERS, TARGETS
from experiments.paper.presets import PRESETS
from experiments.paper.stages import arrays_task, overlap_names, stages
from experiments.tables import CLEAN
from monai_advdefense.data.phantom import write_phantom_dataset

UNIT = dict.fromkeys((*PRESETS["smoke"].networks, "SegNet", "Defense-GAN"), 1.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "phantoms"
    write_phantom_dataset(folder, 8, shape=(12, 8, 12), classes=4)
    return folder


@pytest.fixture(scope="module")
def experiment(data):
    return Experiment(PRESETS["smoke"], data, data.parent / "work", BUNDLES, 0)


@pytest.fixture(scope="module")
def planned(experiment):
    return dict(stages(experiment, UNIT))


def test_every_network_is_trained_and_every_attack_made_once(experiment, planned):
    assert len(planned["train"]) == len(TARGETS) + len(DETECTORS) + len(REFORMERS)
    attacked = [task.name for stage in ("attack", "adapt") for task in planned[stage]]
    assert Counter(attacked) == Counter(f"{target} {name}" for target in TARGETS for name in experiment.settings)


def test_no_two_tasks_have_one_result(planned):
    keys = [task.key for tasks in planned.values() for task in tasks]
    assert len(keys) == len(set(keys))
    assert not any(task.done() for tasks in planned.values() for task in tasks)


def test_what_takes_its_norm_or_a_threshold_from_others_comes_after_them(experiment, planned):
    order = list(planned)
    assert order.index("attack") < order.index("calibrate") < order.index("adapt")
    first = {task.name for task in planned["attack"]}
    for name, setting in experiment.settings.items():
        assert (f"UNet {name}" in first) == (setting.normed_by is None)


def test_scores_of_clean_slices_are_measured_once(experiment, planned):
    digests = [digest for task in planned["measure"] + planned["calibrate"] for digest in task.key.split("/")]
    assert max(Counter(digests).values()) == 1
    for detector in DETECTORS:
        assert experiment.scores(detector, "SegNet", CLEAN).digest in digests


def test_reformers_are_measured_on_full_strength_in_the_brain_alone(experiment):
    names = overlap_names(experiment)
    assert names[NO_REFORMER] == [CLEAN, *experiment.settings]
    for reformer in REFORMERS:
        chosen = [experiment.settings[name] for name in names[reformer] if name != CLEAN]
        assert {setting.support for setting in chosen} == {"brain"}
        assert {setting.strength for setting in chosen if setting.form != "selective_pgd"} == {1.0}


def test_longer_trainings_and_more_steps_are_planned_to_take_longer(data, experiment, planned):
    twice = dict(stages(experiment, {name: 2 * seconds for name, seconds in UNIT.items()}))
    for stage, tasks in planned.items():
        assert [task.seconds for task in twice[stage]] == pytest.approx([2 * task.seconds for task in tasks])
    seconds = {task.name: task.seconds for task in planned["train"]}
    assert seconds["target UNet"] == pytest.approx(3 * seconds["reformer UNet"])


def test_a_student_is_trained_in_a_stage_of_its_own(data):
    planned = dict(baseline_stages(Experiment(PRESETS["smoke_baselines"], data, data, BUNDLES, 0), UNIT))
    assert [task.name for task in planned["distil"]] == ["target UNet distilled"]
    assert "target UNet teacher" in [task.name for task in planned["train"]]


def test_a_task_makes_what_is_missing_and_nothing_else(tmp_path):
    made = []

    def artefact(name):
        return Artefact(tmp_path, name, {}, lambda: made.append(name) or {"x": torch.zeros(1).numpy()})

    first, second = artefact("a"), artefact("b")
    first.make()
    task = arrays_task("both", 1.0, [first, second])
    assert not task.done()
    task.run()
    assert task.done()
    assert made == ["a", "b"]
