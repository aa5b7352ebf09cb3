"""A page as one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import jinja2

from experiments.pages.blocks import Note, Picture, Section, Table

TEMPLATES = Path(__file__).parent / "templates"


def to_html(title: str, sections: Sequence[Section], folder: Path, *, date: str, command: str) -> str:
    """Render a page as HTML that needs no other file, no script and no network.

    Args:
        title: headline of the page.
        sections: what follows.
        folder: where the pictures lie, as PNG.
        date: date of the run.
        command: the command that made it.
    """
    environment = jinja2.Environment(
        # The style sheet is that of the reports.
        loader=jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(TEMPLATES), jinja2.PackageLoader("monai_advdefense.report")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = lambda name: _data_uri(folder / f"{name}.png")
    environment.filters["estimate"] = lambda cell: cell.partition(" [")[0]
    environment.filters["interval"] = lambda cell: "[" + cell.partition(" [")[2] if " [" in cell else ""
    environment.filters["anchor"] = _anchor
    environment.tests["note"] = lambda block: isinstance(block, Note)
    environment.tests["table"] = lambda block: isinstance(block, Table)
    environment.tests["picture"] = lambda block: isinstance(block, Picture)
    template = environment.get_template("paper.html.j2")
    return template.render(title=title, sections=sections, date=date, command=command)


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _anchor(title: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in title.lower())
