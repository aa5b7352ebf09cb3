"""``advdefense merge``: one report over the volumes of several shards."""

from __future__ import annotations

import argparse
import os

__all__ = ["add_arguments", "merge", "run"]


def merge(output_dir: str | os.PathLike[str]) -> None:
    """Write the group report over the volumes of all shards of a run.

    Args:
        output_dir: folder of the results that the shards have shared.

    Raises:
        InputError: if a shard has not ended; after the report is written, if a volume failed.
        OutputError: if the report cannot be written.
    """
    from monai_advdefense.runs.merge_shards import merge_shards

    merge_shards(output_dir).conclude()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("output_dir", metavar="OUTPUT", help="folder of the results of advdefense screen --shard I/N")


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    merge(options.output_dir)
