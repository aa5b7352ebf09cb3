"""The tasks of the experiments, stage by stage, with their planned times."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from experiments.artefact import Artefact
from experiments.attacks import INFORMED
from experiments.paper import training
from experiments.paper.experiment import Experiment
from experiments.paper.names import CALIBRATION, DETECTORS, NO_REFORMER, REFORMERS, TARGETS
from experiments.paper.presets import GAN
from experiments.paper.schedule import Task
from experiments.tables import CLEAN
from monai_advdefense.data import malc2012_datalist

STEPS = 20
# A forward pass is about a third of a forward pass and a gradient.
FORWARD = 1 / 3


def seconds_per_slice(experiment: Experiment) -> dict[str, float]:
    """Time of a forward pass and gradient of one slice, for each architecture, on random input."""
    preset = experiment.preset
    image = torch.rand(8, 1, preset.side, preset.side)
    found = {}
    for name, definition in preset.networks.items():
        config = ConfigParser({"network": {**definition, "spatial_dims": 2, "in_channels": 1, "out_channels": 1}})
        found[name] = _seconds(config.get_parsed_content("network"), image)
    if preset.gan:
        config = ConfigParser(training.configuration(experiment.trainings["reformer", GAN], experiment.bundles))
        generator = config.get_parsed_content("network_def").generator
        found[GAN] = _seconds(generator, torch.rand(8, preset.gan["latent_size"]))
    return found


def overlap_names(experiment: Experiment) -> dict[str, list[str]]:
    """For each reformer, and for none, the sets of slices on which the target networks are measured behind it."""
    every = [CLEAN, *experiment.settings]
    shown = [
        name
        for name, setting in experiment.settings.items()
        if setting.form == INFORMED or (setting.strength == 1.0 and setting.support == "brain")
    ]
    return {NO_REFORMER: every} | {reformer: [CLEAN, *shown] for reformer in REFORMERS}


def stages(experiment: Experiment, unit: Mapping[str, float]) -> list[tuple[str, list[Task]]]:
    """All tasks; those of a stage need nothing but the stages before."""
    first = [name for name, setting in experiment.settings.items() if setting.form in ("dag", "xie")]
    second = [name for name in experiment.settings if name not in first]
    measured = [CLEAN, *experiment.settings]
    return [
        ("train", train_tasks(experiment, unit)),
        ("attack", [attack_task(experiment, unit, target, name) for target in TARGETS for name in first]),
        ("calibrate", [_measure(experiment, unit, target, CALIBRATION) for target in TARGETS]),
        ("adapt", [attack_task(experiment, unit, target, name) for target in TARGETS for name in second]),
        ("measure", [_measure(experiment, unit, target, name) for target in TARGETS for name in measured]),
    ]


def train_tasks(experiment: Experiment, unit: Mapping[str, float]) -> list[Task]:
    """A task for each training."""
    volumes = len(malc2012_datalist(experiment.dataset_dir, "train"))
    measured = len(malc2012_datalist(experiment.dataset_dir, CALIBRATION))
    slices = len(experiment.slices(CALIBRATION)) / measured * volumes / experiment.preset.every
    epochs = experiment.preset.epochs
    return [
        Task(
            f"{role} {name}",
            experiment.network(role, name).digest,
            epochs[role][facts.architecture] * slices * facts.cost * unit[facts.architecture],
            partial(training.is_trained, experiment.network(role, name)),
            partial(experiment.train, role, name),
        )
        for (role, name), facts in experiment.trainings.items()
    ]


def attack_task(experiment: Experiment, unit: Mapping[str, float], target: str, name: str) -> Task:
    """Attack one target network."""
    form = experiment.settings[name].form
    unit_of_target = unit[experiment.trainings["target", target].architecture]
    passes = FORWARD if form in ("noise", "fgsm") else STEPS
    seconds = passes * unit_of_target
    if form == INFORMED:
        # Detector or reformer and target network, and the score of every iterate.
        seconds = experiment.preset.informed_steps * (2 * unit["UNet"] + 1.5 * unit_of_target)
    return arrays_task(f"{target} {name}", len(experiment.slices("test")) * seconds, [experiment.attack(target, name)])


def arrays_task(name: str, seconds: float, artefacts: Sequence[Artefact]) -> Task:
    """Make the artefacts that are not there."""

    def run() -> None:
        for artefact in artefacts:
            artefact.make()

    def done() -> bool:
        return all(artefact.arrays_path.is_file() for artefact in artefacts)

    return Task(name, "/".join(artefact.digest for artefact in artefacts), seconds, done, run)


def _measure(experiment: Experiment, unit: Mapping[str, float], target: str, name: str) -> Task:
    """Score one set of slices with every detector, and segment it behind every reformer that tables show on it."""
    # The scores of clean slices do not depend on the target.
    detectors = DETECTORS if target == TARGETS[0] or name not in (CALIBRATION, CLEAN) else {}
    behind = [reformer for reformer, names in overlap_names(experiment).items() if name in names]
    artefacts = [
        *(experiment.scores(detector, target, name) for detector in detectors),
        experiment.divergence(target, name),
        *(experiment.overlaps(reformer, target, name) for reformer in behind),
    ]
    passes = [
        *(unit[architecture] for architecture, _, _ in detectors.values()),
        unit["UNet"] + 2 * unit[target],
        *(unit[target] + (unit[REFORMERS[reformer][0]] if reformer in REFORMERS else 0.0) for reformer in behind),
    ]
    count = len(experiment.slices(CALIBRATION if name == CALIBRATION else "test"))
    return arrays_task(f"{target} {name}", count * FORWARD * sum(passes), artefacts)


def _seconds(network: nn.Module, batch: Tensor) -> float:
    """Time per sample of a forward pass and gradient, once the network is warm."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = batch.to(device)
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        network(batch).square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = (time.perf_counter() - start) / len(batch)
    return seconds
