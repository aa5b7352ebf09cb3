"""Which volumes are done: what a run needs to go on where an earlier one stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.shard import Shard

__all__ = ["Manifest", "ended_since", "read_manifests", "written_since"]

_PROGRAMS = ("monai_advdefense", "monai", "torch")
# Entries of a configuration that change nothing in the results of a volume; of the weights their content counts.
_WITHOUT_EFFECT = {
    "bundle_root", "dataset_dir", "output_dir", "ckpt_path", "screen_path", "device", "resume", "shard",
    "progress", "fail_on_alarm", "stop_rule", "group_report", "end_run",
    "imports", "initialize", "run", "finalize",
}  # fmt: skip


class Manifest:
    """``manifest.jsonl`` in the folder of the results: one line of JSON for each volume that is done.

    A volume is done if a line about it names the run that is wanted (weights, configuration, versions of the programs)
    and, by their SHA-256, the input and the results that there are now. Each process writes a file of its own and reads
    those of all; a line is on disk before the next volume begins, and one that was cut off counts for nothing.

    Args:
        outputs: where the results lie.
        weights: files with weights; a record of a calibration beside one counts as well.
        config: configuration of the run; folders, list of inputs, device and shard in it do not count.
        shard: ``"I/N"`` if this is one of N runs that share the volumes.
        resume: False makes all volumes anew.

    Raises:
        InputError: if ``shard`` is none.
    """

    def __init__(
        self,
        outputs: Outputs,
        *,
        weights: Iterable[str | os.PathLike[str]] = (),
        config: Mapping[str, Any] | None = None,
        shard: str = "1/1",
        resume: bool = True,
    ) -> None:
        self.outputs = outputs
        self.weights = tuple(weights)
        self.shard = Shard.parse(shard)
        self.resume = resume
        # MONAI may change the configuration later. What JSON cannot hold is told by its text.
        self._config = json.dumps(_with_effect(config or {}), sort_keys=True, default=str)
        self._run = ""
        self._lines: dict[str, list[dict[str, Any]]] = {}
        self._inputs: dict[str, str | None] = {}

    @property
    def path(self) -> Path:
        """File of this process."""
        shard = f"_shard{self.shard.index}of{self.shard.count}" if self.shard.count > 1 else ""
        rank = f"_rank{idist.get_rank()}" if idist.get_rank() else ""
        return self.outputs.output_dir / f"manifest{shard}{rank}.jsonl"

    def read(self) -> None:
        """Read what earlier runs and other processes have done, when a run begins."""
        records = [Path(path).with_suffix(".calibration.json") for path in self.weights]
        checksums = [_checksum(path) for path in (*self.weights, *records)]
        versions = [version(name) for name in _PROGRAMS]
        self._run = sha256(json.dumps([self._config, checksums, versions]).encode()).hexdigest()
        self._lines, self._inputs = {}, {}
        for _, line in read_manifests(self.outputs.output_dir):
            if line.get("run") == self._run and line.get("results"):
                self._lines.setdefault(line["input"], []).append(line)

    def is_done(self, source: str) -> bool:
        """Whether the results of an input are there; to be asked before the input is read."""
        found = self._inputs[source] = _checksum(source)
        lines = self._lines.get(self.outputs.name(source), []) if self.resume else []
        return any(line["input_sha256"] == found and self._agree(line["results"]) for line in lines)

    def _agree(self, results: Mapping[str, str]) -> bool:
        return all(_checksum(self.outputs.output_dir / path) == found for path, found in results.items())

    def mark_done(self, source: str) -> None:
        """Write the line about an input whose results are all there.

        Raises:
            OutputError: if it cannot be written.
        """
        results = {self.outputs.below(path): _checksum(path) for path in self.outputs.results(source)}
        self._append(
            {
                "input": self.outputs.name(source),
                "input_sha256": self._inputs.pop(source, None) or _checksum(source),
                "run": self._run,
                "results": results,
            }
        )

    def mark_ended(
        self,
        attempted: Sequence[str],
        failures: Sequence[tuple[str, str]],
        *,
        stop_rule: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the line about a run that has come to its end, for who merges shards or answers series.

        Args:
            attempted: path of each volume looked at.
            failures: path and message of each failure.
            stop_rule: arguments of the rule that the shards together are compared by.

        Raises:
            OutputError: if it cannot be written.
        """
        told = {"inputs": os.path.abspath(self.outputs.dataset_dir), "attempted": attempted, "failures": failures}
        self._append({"ended": str(self.shard), "run": self._run, **told, "stop_rule": stop_rule})

    def _append(self, line: Mapping[str, Any]) -> None:
        """Add a line, on disk when this returns."""
        created = datetime.now(UTC).isoformat()
        text = json.dumps({**line, "created": created}).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    text = text if file.read(1) == b"\n" else b"\n" + text
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            remedy = "check free space and permissions"
            raise broken_rule(self.path, "to write here", reason(error), remedy, error=OutputError) from error


def read_manifests(output_dir: str | os.PathLike[str]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The lines of all manifests in a folder of results, each with its file; what is no whole line is left out.

    Raises:
        InputError: if a manifest cannot be read.
    """
    for path in sorted(Path(output_dir).glob("manifest*.jsonl")):
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise broken_rule(path, "a readable file", reason(error), "check its permissions") from error
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield path, line


def ended_since(output_dir: str | os.PathLike[str], created: str) -> list[dict[str, Any]]:
    """The lines about runs into a folder that have ended since then, see :meth:`Manifest.mark_ended`.

    Args:
        output_dir: folder of the results.
        created: time, ISO 8601 in UTC.

    Raises:
        InputError: if a manifest cannot be read.
    """
    return [line for _, line in read_manifests(output_dir) if "ended" in line and line["created"] >= created]


def written_since(output_dir: str | os.PathLike[str], created: str) -> set[str]:
    """Paths of the inputs whose results runs that have ended since then have written, or found there.

    Args:
        output_dir: folder of the results.
        created: as for :func:`ended_since`.

    Raises:
        InputError: if a manifest cannot be read.
    """
    ended = ended_since(output_dir, created)
    failed = {path for line in ended for path, _ in line["failures"]}
    return {path for line in ended for path in line["attempted"]} - failed


def _with_effect(config: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a configuration that can change the results of a volume."""
    counted = {key: value for key, value in config.items() if key not in _WITHOUT_EFFECT}
    if isinstance(dataset := counted.get("dataset"), Mapping):
        counted["dataset"] = {key: value for key, value in dataset.items() if key != "data"}
    return counted


def _checksum(path: str | os.PathLike[str]) -> str | None:
    """SHA-256 of a file, or of the files of a folder with their names; None if it cannot be read."""
    try:
        if not os.path.isdir(path):
            return file_sha256(path)
        files = sorted(file for file in Path(path).rglob("*") if file.is_file())
        content = [(file.relative_to(path).as_posix(), file_sha256(file)) for file in files]
    except InputError:
        return None
    return sha256(json.dumps(content).encode()).hexdigest()
