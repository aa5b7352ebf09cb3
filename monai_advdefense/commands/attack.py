"""``advdefense attack``: write attacked copies of volumes, and measure what the guard sees of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

from monai_advdefense.commands.inputs import run_on_inputs
from monai_advdefense.commands.names import TARGETS
from monai_advdefense.commands.options import DEFENDED_SEGMENTER, add_bundle, add_input_and_output, arguments_of
from monai_advdefense.input_paths import Inputs

__all__ = ["add_arguments", "attack", "run"]


def attack(
    data: Inputs,
    output_dir: str | os.PathLike[str],
    *,
    bundle: str | os.PathLike[str] = DEFENDED_SEGMENTER,
    bundle_dir: str | os.PathLike[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    device: str | None = None,
    target: str | None = None,
    step_size: float | None = None,
    slices: int | None = None,
    seed: int | None = None,
) -> None:
    """Attack the segmenter of a bundle by DAG, and write attacked copies with a table of what the guard sees.

    The same as ``monai.bundle run`` with the bundle's ``inference.json`` and ``attack.json``.

    Args:
        data: NIfTI file or DICOM series, or a folder that is searched with its subfolders, or several.
        output_dir: folder of the results.
        bundle: name or folder of the bundle of guard and segmenter.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        config_files: its configurations, later ones over earlier ones, see
            :func:`~monai_advdefense.bundle_tools.bundle_folder.config_files_of`.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.
        target: what the attack aims at, see :class:`~monai_advdefense.transforms.DAGAttack`.
        step_size: L2 norm of one step, for images in [0, 1]; 0 would change nothing.
        slices: number of slices of each volume to attack; None attacks them all.
        seed: of random targets.

    Raises:
        InputError: if the step size is not above 0, the bundle is not found, or an input cannot be used; the other
            inputs are written nevertheless.
    """
    from monai_advdefense.attacks.arguments import check_positive
    from monai_advdefense.bundle_tools.bundle_folder import config_files_of
    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.bundle_tools.run_bundle import run_bundle

    if step_size is not None:
        check_positive("--step-size", step_size)
    folder, results = find_bundle(bundle, bundle_dir), os.path.abspath(output_dir)
    configs = config_files_of(folder, (*config_files, "attack"))
    settings = {"device": device, "target": target, "step_size": step_size, "slices": slices, "seed": seed}

    def run_on(entries: Mapping[str, Any]) -> None:
        run_bundle(folder, configs, {**entries, "output_dir": results, **settings})

    run_on_inputs(data, results, run_on)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    add_input_and_output(parser)
    add_bundle(parser)
    parser.add_argument("--target", metavar="NAME", help=f"what DAG aims at: {', '.join(TARGETS)} (background)")
    parser.add_argument("--step-size", type=float, metavar="L2", help="norm of one step, images in [0, 1] (0.375)")
    parser.add_argument("--slices", type=int, metavar="N", help="slices of each volume to attack (all)")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of random targets (0)")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    attack(**arguments_of(options))
