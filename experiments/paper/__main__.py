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
from monai_advdefense.errors import InputError, exit_on_error


def run_experiments(
    work_dir: str | Path,
    dataset_dir: str | Path | None = None,
    *,
    preset: str = "small",
    bundles: str | Path = BUNDLES,
    seed: int = 0,
) -> Path | None:
    """Train what is missing, craft the attacks, measure, and write tables and plots.

    A run that was stopped goes on where it was. Under ``torchrun`` the processes share the tasks. The arguments are the
    options of the command.

    Returns:
        The page, or None in a process that others write for.

    Raises:
        InputError: if the preset is unknown, or the data set is missing or malformed.
    """
    if preset not in PRESETS:
        raise InputError(f"preset: expected one of {', '.join(PRESETS)}, found {preset!r}; choose one of them")
    sizes, work = PRESETS[preset], Path(work_dir).absolute()
    workers = Workers()
    if dataset_dir is None and not sizes.phantoms:
        raise InputError(
            f"dataset_dir: expected a data set for preset {preset}, found none; only the smoke presets make their own"
        )
    if dataset_dir is None:
        dataset_dir = _phantoms(work, sizes, workers)
    experiment = Experiment(sizes, Path(dataset_dir).absolute(), work, Path(bundles), seed)
    todo = (baseline_stages if sizes.gan else stages)(experiment, seconds_per_slice(experiment))
    if workers.rank == 0:
        print(plan(todo, workers.count), file=sys.stderr, flush=True)
    run(todo, workers, lambda line: tqdm.write(line, file=sys.stderr))
    if workers.rank:
        return None
    facts = run_facts(preset, sizes, seed)
    folder = work / "results"
    if sizes.gan:
        return write_baselines(collect_baselines(experiment, facts), folder, resamples=sizes.resamples)
    return write(collect(experiment, facts), folder, resamples=sizes.resamples)


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


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiments of the paper and write their tables and plots."""
    parser = argparse.ArgumentParser(prog="python -m experiments.paper", description=main.__doc__)
    parser.add_argument("--dataset_dir", metavar="DIR", help="data in the layout of MALC 2012; phantoms need none")
    parser.add_argument(
        "--work_dir", required=True, metavar="DIR", help="all that is made, with the page in results; kept"
    )
    parser.add_argument("--preset", default="small", help=", ".join(PRESETS))
    parser.add_argument("--bundles", default=BUNDLES, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--seed", type=int, default=0, help="seed of trainings, random targets and noise")
    page = run_experiments(**vars(parser.parse_args(arguments)))
    if page is not None:
        print(f"wrote {page}")


if __name__ == "__main__":
    main()
