"""The baselines: their tasks, and their measurements as results of the plain network behind each defence."""

from __future__ import annotations

from collections.abc import Mapping

from experiments.paper.baseline_networks import DEFENCES, PLAIN
from experiments.paper.collect import measurements
from experiments.paper.experiment import Experiment
from experiments.paper.names import NO_DETECTOR, NO_REFORMER
from experiments.paper.results import Results
from experiments.paper.schedule import Task
from experiments.paper.stages import FORWARD, arrays_task, attack_task, train_tasks
from experiments.tables import CLEAN, Facts


def baseline_stages(experiment: Experiment, unit: Mapping[str, float]) -> list[tuple[str, list[Task]]]:
    """All tasks of the baselines; see :func:`~experiments.paper.stages.stages`."""
    training = list(zip(experiment.trainings.values(), train_tasks(experiment, unit), strict=True))
    networks, attacks = dict.fromkeys(network for network, _ in DEFENCES.values()), experiment.settings
    return [
        ("train", [task for facts, task in training if not facts.teacher]),
        ("distil", [task for facts, task in training if facts.teacher]),
        ("attack", [attack_task(experiment, unit, network, name) for network in networks for name in attacks]),
        ("measure", [_measure(experiment, unit, defence, name) for defence in DEFENCES for name in (CLEAN, *attacks)]),
    ]


def collect_baselines(experiment: Experiment, facts: Facts) -> Results:
    """Measurements of a finished run, each defence in the place of a reformer of the plain target network.

    So a slice counts as bad by its Dice without any defence, also behind a network that was trained otherwise. The
    norms of the attacks are by defence: each one's own target network was attacked.
    """
    names = (CLEAN, *experiment.settings)
    behind = {(defence, PLAIN): (reformer, network, names) for defence, (network, reformer) in DEFENCES.items()}
    attacked = {defence: network for defence, (network, _) in DEFENCES.items()}
    pairs = tuple((NO_DETECTOR, defence) for defence in DEFENCES)
    return Results(facts=facts, targets=(PLAIN,), pairs=pairs, **measurements(experiment, behind, attacked))


def _measure(experiment: Experiment, unit: Mapping[str, float], defence: str, name: str) -> Task:
    network, reformer = DEFENCES[defence]
    passes = FORWARD * unit[PLAIN]
    if reformer != NO_REFORMER:
        gan = experiment.preset.gan
        passes += gan["restarts"] * gan["steps"] * unit[reformer]
    seconds = len(experiment.slices("test")) * passes
    return arrays_task(f"{defence}, {name}", seconds, [experiment.overlaps(reformer, network, name)])
