"""Trials of mutations: copies of the package in which tests run, each time in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import Queue

from mutants.mutation import ROOT, Mutation

__all__ = ["Trials", "run_tests"]

SECONDS = 180
"""Processor time of a trial: a mutated loop may never end, and then the mutation was noticed."""

_COPIED = ("monai_advdefense", "experiments", "demo", "tests")
_IMPORTED_ONCE = ["pytest", "monai.transforms", "monai.handlers", "monai.networks.nets", "matplotlib.figure"]


class Trials:
    """Some copies of the package; each trial takes a free one and gives it back as it was.

    Args:
        folder: where the copies are made.
        count: number of copies, of which each serves one trial at a time.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._processes = multiprocessing.get_context("forkserver")
        # What all tests import is imported once: the processes are forked from one that has it.
        self._processes.set_forkserver_preload(_IMPORTED_ONCE)
        self._free: Queue[Path] = Queue()
        for number in range(count):
            for name in _COPIED:
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, folder / str(number) / name, ignore=ignore)
            shutil.copyfile(ROOT / "setup.cfg", folder / str(number) / "setup.cfg")
            # Tests read configurations of the bundles, and write into copies alone.
            (folder / str(number) / "bundles").symlink_to(ROOT / "bundles")
            self._free.put(folder / str(number))

    def exit_code(self, tests: Sequence[str], mutation: Mutation | None = None) -> int | None:
        """Exit code of pytest on some files, with a mutation or without one; negative where time ran out."""
        copy = self._free.get()
        try:
            if mutation is not None:
                path = copy / mutation.file
                path.write_text(mutation.apply(path.read_text(encoding="utf-8")), encoding="utf-8")
            process = self._processes.Process(target=run_tests, args=(copy, list(tests)))
            process.start()
            # Tests that wait for each other are ended as well.
            process.join(10 * SECONDS)
            if process.exitcode is None:
                process.kill()
                process.join()
            return process.exitcode
        finally:
            if mutation is not None:
                shutil.copyfile(ROOT / mutation.file, copy / mutation.file)
            self._free.put(copy)


def run_tests(copy: Path, tests: list[str]) -> None:
    """Run tests against the package of a copy without a word, and end the process with pytest's exit code."""
    import pytest

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    os.chdir(copy)
    # Bytecode is told from its source by the second of writing, too coarse for mutations.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    with open(os.devnull, "w") as silence:
        os.dup2(silence.fileno(), 1)
        os.dup2(silence.fileno(), 2)
    os._exit(int(pytest.main(["-x", "-q", *tests])))
