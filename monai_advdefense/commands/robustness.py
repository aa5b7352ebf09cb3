"""``advdefense robustness``: measure how robust the network of a bundle is."""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from monai_advdefense.commands.names import ATTACKS, CORRUPTIONS
from monai_advdefense.commands.options import add_bundle_dir, add_config_files, add_device
from monai_advdefense.input_paths import check_exists
from monai_advdefense.messages import broken_rule

__all__ = ["add_arguments", "robustness", "run"]


def robustness(
    bundle: str | os.PathLike[str],
    data: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    bundle_dir: str | os.PathLike[str] | None = None,
    config_files: Sequence[str | os.PathLike[str]] = ("inference",),
    weights: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    device: str | None = None,
    shard: str | None = None,
    command: str = "",
    **settings: Any,
) -> dict[str, Any] | None:
    """Measure how robust the network of a bundle is, and write ``robustness.html``, ``.json`` and ``.csv``.

    Args:
        bundle: name or folder of the bundle.
        data: what it takes as ``dataset_dir``, or a folder of NIfTI files.
        output_dir: folder of the results; a run that was stopped goes on where it was.
        bundle_dir: folder that holds it, see :func:`~monai_advdefense.bundle_tools.find_bundle.bundle_dirs`.
        config_files: its configurations, see :func:`~monai_advdefense.robustness.bundle.bundle_parts`.
        weights: file of the weights; by default the bundle's ``models/model.pt``.
        labels: folder of the labels, where the configuration has none; each has the path of its image below ``data``,
            or its name, if no other image has it.
        overrides: values by the id of an entry of the configuration.
        device: such as ``"cuda:1"``; None takes a GPU where there is one.
        shard: ``"I/N"`` if this is one of N runs that share the cases; the last one writes the report. None takes it
            from ``torchrun``, if that has started this process.
        command: what the report names as the command that made it.
        settings: of :class:`~monai_advdefense.robustness.Settings`.

    Returns:
        The report, as in ``robustness.json``; None if other shards are not ready.

    Raises:
        InputError: if the bundle is not found, a setting is unknown, or an input cannot be used.
    """
    import torch

    from monai_advdefense.bundle_tools.find_bundle import find_bundle
    from monai_advdefense.robustness import Settings, robustness_report
    from monai_advdefense.robustness.bundle import bundle_parts

    folder = find_bundle(bundle, bundle_dir)
    check_exists(data)
    given = Settings(**{name: value for name, value in settings.items() if value is not None})
    parts = bundle_parts(
        folder, data, config_files=config_files, weights=weights, labels=labels, overrides=overrides, settings=given
    )
    return robustness_report(
        parts.network,
        parts.data,
        output_dir,
        settings=parts.settings,
        structures=parts.structures,
        device=device or ("cuda" if torch.cuda.is_available() else "cpu"),
        shard=shard or _torchrun_shard(),
        about={"network": folder.name, "data": str(data), **({"command": command} if command else {})},
    )


def _torchrun_shard() -> str:
    """The share of a process that ``torchrun`` has started; all cases of another one."""
    return f"{int(os.environ.get('RANK', 0)) + 1}/{os.environ.get('WORLD_SIZE', 1)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("words", nargs="+", metavar="BUNDLE INPUT", help="name or folder of the bundle; its images")
    parser.add_argument("-o", "--output-dir", required=True, metavar="DIR", help="folder of the results")
    parser.add_argument("--bundle-root", "--bundle_root", metavar="DIR", help="the bundle, in place of BUNDLE")
    add_config_files(parser)
    add_bundle_dir(parser)
    parser.add_argument("--weights", metavar="FILE", help="weights, in place of models/model.pt")
    parser.add_argument("--labels", metavar="DIR", help="labels with the names of the images; else the configuration's")
    parser.add_argument("--override", nargs=2, action="append", default=[], metavar=("ID", "VALUE"), help="of an entry")
    add_device(parser)
    parser.add_argument("--shard", metavar="I/N", help="take every N-th case only, from the I-th on")
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--budgets", type=float, nargs="+", metavar="B", help="largest change of a voxel, in the range")
    parser.add_argument("--attacks", nargs="+", metavar="NAME", help=f"of (all): {', '.join(ATTACKS)}")
    parser.add_argument("--steps", type=int, metavar="N", help="of each attack at each budget (10)")
    parser.add_argument(
        "--corruptions",
        nargs="+",
        metavar="NAME",
        help=f"of (all), a name with spaces in quotes: {', '.join(CORRUPTIONS)}",
    )
    parser.add_argument("--changes", type=float, nargs="+", metavar="C", help="severities of corruptions")
    parser.add_argument(
        "--value-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="of the image; else its own"
    )
    parser.add_argument("--background", type=float, metavar="V", help="value outside of the body, left as it is")
    parser.add_argument("--slices", type=int, metavar="N", help="slices of each volume (all)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the intervals (0)")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    given = {name: value for name, value in vars(options).items() if name != "verb"}
    bundle, data = _bundle_and_data(given.pop("words"), given.pop("bundle_root"))
    overrides = {name: _value(text) for name, text in given.pop("override")}
    tuples = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    report = robustness(
        bundle, data, overrides=overrides, command=" ".join(["advdefense", *sys.argv[1:]]), **{**given, **tuples}
    )
    output = os.path.join(options.output_dir, "robustness.html")
    print(output if report else "the measurements of other shards are missing: the last one writes the report")


def _bundle_and_data(words: Sequence[str], bundle_root: str | None) -> tuple[str, str]:
    given = [*([bundle_root] if bundle_root else []), *words]
    if len(given) != 2:
        raise broken_rule("arguments", "BUNDLE and INPUT", " ".join(given), "give the bundle and its images")
    return given[0], given[1]


def _value(text: str) -> Any:
    """A value of the command line: Python's literal, or else text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
