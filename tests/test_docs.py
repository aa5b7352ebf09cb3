"""Links between the pages of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monai_advdefense.guard.screen import SCREEN_SCORES
from monai_advdefense.guard.verdict_entries import verdict_entries

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("bundles/**/*.md"),
        *(page for page in ROOT.glob("docs/**/*.md") if "build" not in page.parts),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchors(page):
    """Anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if path.startswith(("https://", "http://", "mailto:")):
            continue
        found = page.parent / path if path else page
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found), target


def test_every_public_part_of_the_package_has_a_page_in_the_reference():
    folder = ROOT / "docs" / "reference"
    entries = folder.joinpath("index.md").read_text(encoding="utf-8").splitlines()
    parts = {path.parent.name for path in ROOT.glob("monai_advdefense/*/__init__.py")} | {"errors", "weights"}
    for part in parts:
        assert part in entries, part
        assert f"automodule:: monai_advdefense.{part}\n" in (folder / f"{part}.md").read_text(encoding="utf-8"), part
    assert {page.stem for page in folder.glob("*.md")} <= {*entries, "index"}


def test_the_map_names_files_and_folders_that_are_there():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    questions = re.findall(r"^\| .*\? \| `(.*)` \|$", page, re.MULTILINE)
    assert len(set(questions)) == 15
    assert [path for path in questions if not (ROOT / path).is_file()] == []
    named = set(re.findall(r"`([a-z_][a-z_0-9/]*(?:/|\.py))`", page))
    roots = (ROOT, ROOT / "monai_advdefense", *(ROOT / name for name in ("experiments", "monai_advdefense/data")))
    assert [path for path in sorted(named) if not any((root / path).exists() for root in roots)] == []


def test_the_page_on_exports_names_every_score_and_entry_that_the_files_do_not_hold():
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    section = page.split("## What the files do not hold")[1].split("Where these are needed")[0]
    table, rest = section.split("And of what is said of a volume:")
    scores = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(scores) == sorted(SCREEN_SCORES)
    assert re.findall(r"`(\w+)`", rest) == ["verdict", *verdict_entries(None, None)]
