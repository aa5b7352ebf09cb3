"""``advdefense merge``: one report over the volumes of several shards."""

from __future__ import annotations

import argparse
import os

from monai_advdefense.commands.options import add_fail_on_alarm

__all__ = ["add_arguments", "merge", "run"]


def merge(output_dir: str | os.PathLike[str], *, fail_on_alarm: bool = False) -> None:
    """Write the group report over the volumes of all shards of a run.

    Args:
        output_dir: folder of the results that the shards have shared.
        fail_on_alarm: raise a BatchError, after all else, if the shards together hold too many suspicious volumes.

    Raises:
        InputError: if a shard has not ended; after the report is written, if a volume failed.
        OutputError: if the report cannot be written.
        BatchError: if the alarm is to be raised and no volume failed.
    """
    from monai_advdefense.runs.merge_shards import merge_shards
    from monai_advdefense.runs.stop_rule import conclude

    conclude(*merge_shards(output_dir), fail=fail_on_alarm)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument("output_dir", metavar="OUTPUT", help="folder of the results of advdefense screen --shard I/N")
    add_fail_on_alarm(parser)


def run(options: argparse.Namespace) -> None:
    """Run the verb."""
    merge(options.output_dir, fail_on_alarm=options.fail_on_alarm)
