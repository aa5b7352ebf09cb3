"""Write docs/dependencies.md: version and licence of each package that the tests ran with, as installed here."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = """# Dependencies

The packages of [constraints.txt](../constraints.txt), with which the tests ran, and their licences as they state them.
Ranges that may be installed stand in `setup.cfg`. Written by `make licences`; `make audit` asks for known weaknesses
and writes a bill of materials (CycloneDX).

| package | version | licence |
| --- | --- | --- |
"""


def licence(found: Distribution) -> str:
    """Licence of a package: its expression, its classifiers, or the first line of its text."""
    expression = found.metadata.get("License-Expression")
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in found.metadata.get_all("Classifier", [])
        if line.startswith("License") and line.count(" :: ") > 1
    ]
    text = (found.metadata.get("License") or "").strip().splitlines()
    return expression or "; ".join(classifiers) or (text[0] if text else "unknown")


def main() -> None:
    """Write the page."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    rows = []
    for name, version in (line.split("==") for line in lines if "==" in line):
        try:
            stated = licence(distribution(name))
        except PackageNotFoundError:
            stated = "unknown"
        rows.append(f"| {name} | {version} | {re.sub(r'[|]', '/', stated)[:60]} |\n")
    (ROOT / "docs" / "dependencies.md").write_text(PAGE + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
