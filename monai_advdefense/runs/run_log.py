"""What a run did: volumes attempted and failed, in all processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import ignite.distributed as idist

from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.messages import one_line, reason, some_failed

__all__ = ["RunLog"]


class RunLog:
    """The volumes that a run has looked at, and those among them that failed.

    A volume that fails costs itself, not the run: it is recorded and told on stderr, and the run goes on with the next.
    :class:`~monai_advdefense.handlers.EndRun` turns what was recorded into the outcome of the run.

    Attributes:
        expected: number of volumes to look at, of this process.
        attempted: path of each volume looked at.
        already_there: those whose results an earlier run has left.
        failures: path and message of each failure; a volume can have several.

    Example:
        >>> log = RunLog()
        >>> log.attempt("a.nii")
        >>> with log.recorded("a.nii", "no scores"):
        ...     raise OutputError("a_scores.csv: expected to write here, found a full disk: free some space")
        >>> log.reasons("a.nii")
        ['a.nii: no scores: a_scores.csv: expected to write here, found a full disk: free some space']
    """

    def __init__(self) -> None:
        self.expected = 0
        self.attempted: list[str] = []
        self.already_there: list[str] = []
        self.failures: list[tuple[str, str]] = []

    def clear(self) -> None:
        """Forget an earlier run."""
        self.expected = 0
        self.attempted.clear()
        self.already_there.clear()
        self.failures.clear()

    def attempt(self, source: str) -> None:
        """Record a volume before it is looked at."""
        self.attempted.append(source)

    def skip(self, source: str) -> None:
        """Record that the results of a volume are already there."""
        self.already_there.append(source)

    def fail(self, source: str, message: str) -> None:
        """Record a volume that failed, and say so on stderr.

        Args:
            source: path of the input volume.
            message: one line that names the file, the rule and what to do.
        """
        self.failures.append((source, message))
        print(f"failed: {message}", file=sys.stderr, flush=True)

    @contextmanager
    def recorded(self, source: str, missing: str) -> Iterator[None]:
        """Record an error of the block, so that the run goes on.

        Args:
            source: path of the input volume.
            missing: what the volume has not got, such as ``"no scores"``.
        """
        try:
            yield
        except (InputError, OutputError) as error:
            self.fail(source, f"{one_line(source)}: {missing}: {reason(error)}")

    def reasons(self, source: str) -> list[str]:
        """Messages about a volume; none if it has not failed."""
        return [message for path, message in self.failures if path == source]

    def merge(self) -> None:
        """Replace the lists of this process by those of all, in the order of the paths.

        Waits for the processes that share the volumes. They need a process group whose timeout is longer than one of
        them may take more than another.
        """
        if idist.get_world_size() == 1:
            return
        shares = cast(list[RunLog], idist.all_gather(self))
        self.attempted = sorted(path for share in shares for path in share.attempted)
        self.already_there = sorted(path for share in shares for path in share.already_there)
        # Several messages about one volume stay in the order in which they came.
        self.failures = sorted((entry for share in shares for entry in share.failures), key=lambda entry: entry[0])

    def conclude(self) -> None:
        """Print how many volumes were written and how many failed.

        Raises:
            InputError: if a volume failed, with the last message.
        """
        failed, total = len({path for path, _ in self.failures}), len(self.attempted)
        earlier = f" ({len(self.already_there)} of them by an earlier run)" if self.already_there else ""
        print(f"{total - failed} of {total} volumes written{earlier}, {failed} failed", flush=True)
        if failed:
            raise some_failed([message for _, message in self.failures], failed, total, "volumes")

    def print_failures(self) -> None:
        """List several failures on stderr; a single one was told already."""
        if len(self.failures) > 1:
            print("failed volumes:", *(f"  {message}" for _, message in self.failures), sep="\n", file=sys.stderr)
