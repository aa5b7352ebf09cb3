"""Run the experiments of the paper and write their tables and plots."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from experiments.bundles import BUNDLES
from experiments.paper.baselines import baseline_stages, collect_baselines
from experiments.paper.experiment import Experiment
from experiments.paper.facts import run_facts
from experiments.paper.output import write, write_baselines
from experiments.paper.presets import PRESETS, Preset
from experiments.paper.results import collect
from experiments.paper.schedule import Workers, plan, run
from experiments.paper.stages import seconds_per_slice, stages
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, craft the attacks, measure, and write tables and plots.

    A run that was stopped goes on where it was. Under ``torchrun`` the processes share the tasks; one writes.
    """
    parser = argparse.ArgumentParser(prog="python -m experiments.paper", description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, metavar="DIR", help="data in the layout of MALC 2012")
    parser.add_argument("--work_dir", type=Path, required=True, metavar="DIR", help="all that is made; kept")
    parser.add_argument("--preset", default="small", choices=PRESETS, help="the smoke presets make their own data")
    parser.add_argument("--bundles", type=Path, default=BUNDLES, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--seed", type=int, default=0, help="seed of trainings, random targets and noise")
    options = parser.parse_args(arguments)
    sizes, work, workers = PRESETS[options.preset], options.work_dir.absolute(), Workers()
    if options.dataset_dir is None and not sizes.phantoms:
        expected = f"a data set for preset {options.preset}"
        raise broken_rule("dataset_dir", expected, "none", "give one; only the smoke presets make their own")
    data = options.dataset_dir or _phantoms(work, sizes, workers)
    experiment = Experiment(sizes, data.absolute(), work, options.bundles, options.seed)
    todo = (baseline_stages if sizes.gan else stages)(experiment, seconds_per_slice(experiment))
    if workers.rank == 0:
        print(plan(todo, workers.count), file=sys.stderr, flush=True)
    run(todo, workers, lambda line: tqdm.write(line, file=sys.stderr))
    if workers.rank == 0:
        print(f"wrote {_write(experiment, options.preset)}")


def _phantoms(work: Path, preset: Preset, workers: Workers) -> Path:
    """The phantoms of a preset: made once, by one process, and there whole or not at all."""
    folder = work / "phantoms"
    if workers.rank == 0 and not folder.is_dir():
        unfinished = work / ".phantoms"
        write_phantom_dataset(unfinished, preset.phantoms, shape=(28, 24, 28), classes=preset.num_classes)
        unfinished.rename(folder)
    while not folder.is_dir():
        time.sleep(0.1)
    return folder


def _write(experiment: Experiment, preset: str) -> Path:
    """Tables, plots and pages of a finished run."""
    facts, folder = run_facts(preset, experiment.preset, experiment.seed), experiment.work_dir / "results"
    if experiment.preset.gan:
        return write_baselines(collect_baselines(experiment, facts), folder, resamples=experiment.preset.resamples)
    return write(collect(experiment, facts), folder, resamples=experiment.preset.resamples)


if __name__ == "__main__":
    main()
