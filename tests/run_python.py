"""Commands of Python as users give them, without the seconds that a new process takes to import MONAI."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import torch

SECONDS = 180.0


def run_python(arguments: Sequence[str], *, cwd: Path | None = None) -> CompletedProcess[str]:
    """What ``python ARGUMENTS`` does, with its exit code and its output.

    On Linux a copy of this process does it, in which everything is imported; copies are not safe elsewhere.

    Args:
        arguments: a script or ``-m`` and a module, and their arguments.
        cwd: folder to run it in; None is this one.
    """
    return _run_all(arguments, [{}], cwd, _never)[0]


def _never() -> bool:
    return False


def run_by_two(arguments: Sequence[str], *, kill_when: Callable[[], bool] = _never) -> list[CompletedProcess[str]]:
    """What each of the two processes does that ``torchrun --nproc_per_node 2`` starts.

    Args:
        arguments: see :func:`run_python`.
        kill_when: both are killed as soon as this is true.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    return _run_all(arguments, [{**group, "RANK": rank, "LOCAL_RANK": rank} for rank in "01"], None, kill_when)


def _run_all(
    arguments: Sequence[str],
    environments: Sequence[dict[str, str]],
    cwd: Path | None,
    kill_when: Callable[[], bool],
) -> list[CompletedProcess[str]]:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, str(number)) for number, _ in enumerate(environments)]
        processes = [
            context.Process(target=_run, args=(list(arguments), cwd, *each))
            for each in zip(environments, outputs, strict=True)
        ]
        for process in processes:
            process.start()
        end = time.monotonic() + SECONDS
        while any(process.is_alive() for process in processes) and time.monotonic() < end and not kill_when():
            time.sleep(0.02)
        late = time.monotonic() >= end and any(process.is_alive() for process in processes)
        for process in processes:
            process.kill()
            process.join()
        texts = [[path.with_suffix(end).read_text(encoding="utf-8") for end in (".out", ".err")] for path in outputs]
    if late:
        raise TimeoutError(f"{' '.join(arguments)}: no end after {SECONDS} s: {texts}")
    return [
        CompletedProcess(arguments, process.exitcode or 0, *text)
        for process, text in zip(processes, texts, strict=True)
    ]


def _run(arguments: list[str], cwd: Path | None, environment: dict[str, str], output: Path) -> None:
    """Become ``python ARGUMENTS`` and end as it ends."""
    for number, end in ((1, ".out"), (2, ".err")):
        with output.with_suffix(end).open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False, buffering=1) for number in (1, 2))
    os.environ.update(environment)
    os.chdir(cwd or ".")
    # The threads of the process that was copied are not there.
    torch.set_num_threads(1)
    code = _code(arguments)
    sys.stdout.flush()
    os._exit(code)


def _code(arguments: list[str]) -> int:
    try:
        try:
            if arguments[0] == "-m":
                sys.argv = arguments[1:]
                runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = arguments
                runpy.run_path(arguments[0], run_name="__main__")
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            return 1
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
