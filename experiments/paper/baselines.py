"""The baselines: their tasks, their measurements as results of the plain network behind each defence, their table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from experiments.paper.baseline_networks import DEFENCES, PLAIN
from experiments.paper.experiment import Experiment
from experiments.paper.names import NO_DETECTOR, NO_REFORMER
from experiments.paper.quantities import Quantities
from experiments.paper.results import Results, measurements
from experiments.paper.rows import setting_columns
from experiments.paper.schedule import Task
from experiments.paper.stages import FORWARD, arrays_task, attack_task, train_tasks
from experiments.tables import CLEAN, Facts, quantity_columns


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


def baseline_table(results: Results, found: Quantities) -> pd.DataFrame:
    """Each defence on clean slices and under each attack.

    ``attacked`` names the network that the attack was made against, ``white_box`` whether that is all there is to
    attack. ``norm`` and ``flipped`` are means over the slices, before Defense-GAN.
    """
    rows = []
    for defence, (network, reformer) in DEFENCES.items():
        for group in (CLEAN, *found.groups):
            setting, attacks = found.groups.get(group, (None, (CLEAN,)))
            row = {
                "defence": defence,
                "attacked": "" if setting is None else network,
                "white_box": "" if setting is None or reformer != NO_REFORMER else "yes",
                **setting_columns(setting),
                "slices": len(results.subject) * len(attacks),
                **{name: quantity.estimate for name, quantity in found.attacks.get((defence, group), {}).items()},
            }
            rows.append(row | quantity_columns(found.guards[NO_DETECTOR, defence, PLAIN, group]))
    return pd.DataFrame(rows)


def _measure(experiment: Experiment, unit: Mapping[str, float], defence: str, name: str) -> Task:
    network, reformer = DEFENCES[defence]
    passes = FORWARD * unit[PLAIN]
    if reformer != NO_REFORMER:
        gan = experiment.preset.gan
        passes += gan["restarts"] * gan["steps"] * unit[reformer]
    seconds = len(experiment.slices("test")) * passes
    return arrays_task(f"{defence}, {name}", seconds, [experiment.overlaps(reformer, network, name)])
