"""What a benchmark returns, and the page that is made of it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

__all__ = ["Row", "page"]

_HEAD = "| measurement | value | bar | |\n|---|---|---|---|"
_PACKAGES = ("monai", "numpy", "pytorch-ignite")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: what was measured.
        value: the figure; a ratio if there is a bar.
        bar: highest value that is good enough, or None for a figure that only informs.
        unit: behind the value.
    """

    name: str
    value: float
    bar: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        """Line of a Markdown table."""
        if self.bar is None:
            return f"| {self.name} | {self.value:.3g}{self.unit} | | |"
        verdict = "met" if self.value <= self.bar else "**missed**"
        return f"| {self.name} | {self.value:.3f}{self.unit} | at most {self.bar:.2f} | {verdict} |"


def page(sections: dict[str, tuple[str, list[Row]]], command: str) -> str:
    """Markdown page with the machine's description and one table for each section (title: explanation, rows)."""
    parts = [
        "# Performance",
        f"Written by `{command}` on {date.today().isoformat()}.",
        "\n".join(f"- {name}: {value}" for name, value in _machine().items()),
    ]
    for title, (explanation, rows) in sections.items():
        parts += [f"## {title}", explanation, "\n".join([_HEAD, *map(str, rows)])]
    return "\n\n".join(parts) + "\n"


def _machine() -> dict[str, str]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    one, five, _ = os.getloadavg()
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "threads of torch": str(torch.get_num_threads()),
        "memory": f"{memory:.0f} GiB",
        "load when the page was written": f"{one:.1f} (1 min), {five:.1f} (5 min), the benchmark itself included",
        "Python": platform.python_version(),
        "torch": str(torch.__version__),
        **{name: version(name) for name in _PACKAGES},
        "device": "CPU; a GPU is not used",
    }


def _processor() -> str:
    """Model of the processor as Linux tells it."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    name = facts.get("model name", platform.processor() or platform.machine())
    return f"{name} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"
