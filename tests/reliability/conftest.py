"""Figures of the promises: short runs in the suite, long ones by ``make reliability``, which writes the table."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.conftest import brain, make_header, make_nifti  # noqa: F401

COLUMNS = ("promise", "figure", "date", "command")
FIGURES = pytest.StashKey[dict[Path, dict[str, str]]]()
FAILED = set[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", metavar="PAGE", help="run at full length, and write the figures into a table")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        FAILED.add(report.nodeid.partition("::")[0])


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether to run at full length."""
    return pytestconfig.getoption("--figures", None) is not None


@pytest.fixture
def figure(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], full: bool) -> Callable[[str], None]:
    """Tells what a test found; the page shows the figures of a file side by side, in the order of its tests."""

    def tell(text: str) -> None:
        request.config.stash[FIGURES].setdefault(request.path, {})[request.node.name] = text
        if full:
            with capsys.disabled():
                print(f"\n{request.path.stem}: {text}")

    return tell


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Replace the rows of the promises that were run and kept."""
    page = session.config.getoption("--figures", None)
    if page is None:
        return
    rows = _rows(Path(page).read_text(encoding="utf-8"))
    for path, figures in session.config.stash[FIGURES].items():
        if not any(name.endswith(path.name) for name in FAILED):
            promise = path.read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0].splitlines()[0]
            name = path.stem.removeprefix("test_")
            command = f"`make reliability PROMISE={name}`"
            today = datetime.datetime.now(datetime.UTC).date().isoformat()
            rows[command] = (promise, "; ".join(figures.values()), today, command)
    _write(Path(page), rows)


def _rows(page: str) -> dict[str, tuple[str, ...]]:
    """Rows of the table of a page by their command."""
    found = (tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in page.splitlines())
    return {row[-1]: row for row in found if len(row) == len(COLUMNS) and "PROMISE=" in row[-1]}


def _write(page: Path, rows: dict[str, tuple[str, ...]]) -> None:
    order = [f"PROMISE={path.stem.removeprefix('test_')}`" for path in sorted(Path(__file__).parent.glob("test_*.py"))]
    known = [row for end in order for command, row in rows.items() if command.endswith(end)]
    lines = [f"| {' | '.join(row)} |" for row in (COLUMNS, ("---",) * len(COLUMNS), *known)]
    text = page.read_text(encoding="utf-8")
    table = re.compile(r"^\| promise .*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)
    page.write_text(table.sub(lambda _: "\n".join(lines), text, count=1).rstrip("\n") + "\n", encoding="utf-8")
