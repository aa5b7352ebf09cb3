"""Seconds of processor from the start of a process to the first convolution.

Run as a script with the words behind ``python -m``, by :mod:`benchmarks.release`, in any checkout.
"""

from __future__ import annotations

import os
import resource
import runpy
import sys
from typing import Any

import torch


def _first(*_: Any, **__: Any) -> Any:
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.flush()
    os.write(1, f"\n{used.ru_utime + used.ru_stime}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    torch.nn.Conv2d.forward = _first  # type: ignore[method-assign]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
