"""Options that several verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from monai_advdefense.messages import broken_rule, reason

__all__ = [
    "DEFENDED_SEGMENTER",
    "INPUT",
    "add_bundle",
    "add_bundle_dir",
    "add_config_files",
    "add_device",
    "add_fail_on_alarm",
    "add_guard_settings",
    "add_input_and_output",
    "add_resume_and_shard",
    "arguments_of",
]

DEFENDED_SEGMENTER = "brain_mri_defended_segmentation"
"""The bundle of guard and segmenter."""

INPUT = "NIfTI files or DICOM series, or folders of them with subfolders; @LIST names one in each line of a file"
"""What the inputs of a verb may be."""


def add_input_and_output(parser: argparse.ArgumentParser, *, nargs: str = "+") -> None:
    """Add ``INPUT`` and ``-o``."""
    parser.add_argument("input", metavar="INPUT", nargs=nargs, help=INPUT)
    parser.add_argument("-o", "--output-dir", required=True, metavar="DIR", help="folder of the results")
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device", action=_Device, metavar="NAME", help="cpu, cuda or cuda:1; a GPU by default where there is one"
    )


class _Device(argparse.Action):
    """The name of a device that can hold a tensor."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        import torch

        try:
            # Copied back, because a tensor on "meta" has no values.
            torch.empty(1, device=str(values)).cpu()
        # Each kind of device has errors of its own.
        except Exception as error:
            found = f"{values} ({reason(error)})"
            raise broken_rule("--device", "a device of this machine", found, "name another, such as cpu") from error
        setattr(namespace, self.dest, values)


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle``, ``--config-file`` and ``--bundle-dir``."""
    parser.add_argument(
        "--bundle", default=DEFENDED_SEGMENTER, metavar="NAME", help="name or folder of the bundle (%(default)s)"
    )
    add_config_files(parser)
    add_bundle_dir(parser)


def add_config_files(parser: argparse.ArgumentParser) -> None:
    """Add ``--config-file``, as MONAI spells it as well."""
    parser.add_argument(
        "--config-file",
        "--config_file",
        dest="config_files",
        nargs="+",
        default=("inference",),
        metavar="FILE",
        help="its configurations, later ones over earlier ones (inference.json)",
    )


def add_bundle_dir(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle-dir``."""
    parser.add_argument("--bundle-dir", metavar="DIR", help="folder with our bundles; found by itself if left out")


def add_fail_on_alarm(parser: argparse.ArgumentParser) -> None:
    """Add ``--fail-on-alarm``."""
    parser.add_argument("--fail-on-alarm", action="store_true", help="exit code 3 if too many volumes are suspicious")


def add_guard_settings(parser: argparse.ArgumentParser) -> None:
    """Add what says which slices of another network's images are guarded."""
    parser.add_argument("--slice-dim", type=int, metavar="N", help="axis that counts the slices (1, coronal)")
    parser.add_argument("--axcodes", metavar="CODES", help="orientation in which it counts (RAS)")
    parser.add_argument("--channels", type=int, nargs="+", metavar="N", help="guarded channels (all)")
    parser.add_argument(
        "--value-range", type=float, nargs=2, metavar=("LOW", "HIGH"), help="values that become 0 and 1"
    )
    parser.add_argument(
        "--slice-size",
        type=int,
        nargs=2,
        metavar=("H", "W"),
        help="crop slices to the foreground, and pad them to this",
    )


def add_resume_and_shard(parser: argparse.ArgumentParser) -> None:
    """Add ``--resume`` and ``--shard``."""
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="leave volumes as they are whose results are there (default)",
    )
    parser.add_argument("--shard", metavar="I/N", help="take every N-th volume only, from the I-th on, such as 2/4")


def arguments_of(options: argparse.Namespace) -> dict[str, Any]:
    """Options of a verb as arguments of its function, whose first is ``data``."""
    return {"data" if name == "input" else name: value for name, value in vars(options).items() if name != "verb"}
