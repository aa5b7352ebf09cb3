"""One report over the volumes of several runs that have shared them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.manifest import read_manifests
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.shard import Shard
from monai_advdefense.runs.stop_rule import StopRule

__all__ = ["merge_shards"]


def merge_shards(
    output_dir: str | os.PathLike[str], *, failures: Sequence[tuple[str, str]] = ()
) -> tuple[RunLog, AdvDefenseError | None]:
    """Write ``report.html`` and ``report.csv`` about the volumes of all shards of the latest run into a folder.

    Args:
        output_dir: folder of the results.
        failures: path and message of volumes that no shard could tell of.

    Returns:
        What the shards did together, and what their stop rule says of that, if anything.

    Raises:
        InputError: if no run has ended there, or a shard has not.
        OutputError: if the report cannot be written.
    """
    ended = _ended(Path(output_dir))
    log = RunLog()
    log.attempted = sorted([*(path for line in ended for path in line["attempted"]), *dict(failures)])
    told = [(path, message) for line in ended for path, message in line["failures"]]
    log.failures = sorted([*told, *failures], key=lambda entry: entry[0])
    report = GroupReport(Outputs(ended[0]["inputs"], output_dir), log)
    rule = None if ended[0]["stop_rule"] is None else StopRule(**ended[0]["stop_rule"])
    report.write(rule)
    return log, None if rule is None else rule.broken_by(report.verdicts)


def _ended(output_dir: Path) -> list[dict[str, Any]]:
    """The last line of each shard about its end."""
    every = [line for _, line in read_manifests(output_dir) if "ended" in line]
    lines = [line for line in every if line["ended"] != "1/1"]
    if not lines:
        remedy = "give the output folder of advdefense screen --shard I/N"
        if every:
            found, report = "a run without shards", output_dir / "report.html"
            raise broken_rule(output_dir, "shards of a run", found, f"there is nothing to merge, see {report}")
        raise broken_rule(output_dir, "a manifest of a run that has ended", "none", remedy)
    latest = max(lines, key=lambda line: line["created"])
    count = Shard.parse(latest["ended"]).count
    shards = [str(Shard(index, count)) for index in range(1, count + 1)]
    # Of shards with other weights or another configuration the results may be gone.
    ended = {line["ended"]: line for line in lines if line["run"] == latest["run"]}
    missing = [shard for shard in shards if shard not in ended]
    if missing:
        remedy = f"run it with --shard {missing[0]}, then merge again"
        raise broken_rule(output_dir, f"{count} shards that have ended", f"not {', '.join(missing)}", remedy)
    return [ended[shard] for shard in shards]
