"""Write everything that the experiments found: files of numbers, figures and pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiments.page import write_rows
from experiments.paper.baseline_sections import baseline_rows, baselines_html, baselines_markdown
from experiments.paper.claims import bar_rows, claim_rows, comparison_rows
from experiments.paper.figures import figure_4, figure_bytes, risk_coverage_figure, roc_figure
from experiments.paper.page import html_page, markdown_page, not_reproduced_page
from experiments.paper.quantities import quantities
from experiments.paper.results import Results
from experiments.paper.spectra import figure_2, figure_3, shown_examples
from experiments.paper.tables import Row, attack_rows, detection_rows, guard_rows, risk_coverage_rows, roc_rows
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import InputError

__all__ = ["write", "write_baselines"]

NEEDED_FACTS = ("command", "date", "preset", "seed", "sizes")
"""Facts that every caption names."""


def write(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write all files of numbers (CSV), figures (PNG, SVG) and pages (HTML, Markdown).

    The same results give the same bytes. Each file appears whole or not at all; the HTML page is the last one.

    Args:
        results: what was measured.
        folder: where to; older files of the same names are replaced.
        resamples: number of bootstrap resamples over subjects.

    Returns:
        The HTML page, ``results.html``; beside it lie ``results.md`` and ``not_reproduced.md``.

    Raises:
        InputError: if a fact for the captions is missing, or a score is not finite.
        CalibrationError: if a detector has too few calibration scores for a threshold.
        OutputError: if a file cannot be written.
    """
    missing = [name for name in NEEDED_FACTS if not results.facts.get(name)]
    if missing:
        raise InputError(f"facts: expected {', '.join(NEEDED_FACTS)} for the captions, found no {', '.join(missing)}")
    tables = _tables(results, resamples)
    _write_tables(tables, folder)
    _write_figures(results, tables, folder)
    with atomic_path(folder / "not_reproduced.md") as temporary:
        temporary.write_text(not_reproduced_page(folder), encoding="utf-8")
    return _write_pages(folder, "results", markdown_page(folder), html_page(folder))


def write_baselines(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write the numbers of the baselines and a page of their own, and put them into the page of all results.

    As :func:`write`, with ``baselines.csv``, ``baselines_facts.csv``, ``baselines.html`` and ``baselines.md``. Where
    ``folder`` holds the results of another preset, their page is made anew with the baselines as a section; where it
    does not yet, a later :func:`write` does so.

    Args:
        results: what was measured, see :func:`~experiments.paper.baselines.collect_baselines`.
        folder: where to.
        resamples: number of bootstrap resamples over subjects.

    Returns:
        The HTML page, ``baselines.html``.
    """
    rows = baseline_rows(results, quantities(results, resamples=resamples))
    facts = results.facts | _counted(results, resamples)
    _write_tables({"baselines": rows, "baselines_facts": [facts]}, folder)
    if (folder / "facts.csv").is_file():
        _write_pages(folder, "results", markdown_page(folder), html_page(folder))
    return _write_pages(folder, "baselines", baselines_markdown(folder), baselines_html(folder))


def _write_pages(folder: Path, name: str, markdown: str, html: str) -> Path:
    page = folder / f"{name}.html"
    for path, text in ((folder / f"{name}.md", markdown), (page, html)):
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return page


def _write_tables(tables: Mapping[str, list[Row]], folder: Path) -> None:
    for name, rows in tables.items():
        with atomic_path(folder / f"{name}.csv") as temporary:
            write_rows(temporary, rows)


def _counted(results: Results, resamples: int) -> Row:
    return {
        "clean_slices": str(len(results.subject)),
        "volumes": str(len(np.unique(results.volume))),
        "subjects": str(len(np.unique(results.subject))),
        "resamples": str(resamples),
    }


def _tables(results: Results, resamples: int) -> dict[str, list[Row]]:
    found = quantities(results, resamples=resamples)
    comparisons = comparison_rows(results, found)
    return {
        "facts": [results.facts | _counted(results, resamples)],
        "detection": detection_rows(results, found),
        "guards": guard_rows(results, found),
        "attacks": attack_rows(results, found),
        "comparisons": comparisons,
        "claims": claim_rows(comparisons),
        "bars": bar_rows(found),
        "roc": roc_rows(results, found),
        "risk_coverage": risk_coverage_rows(results, found),
    }


def _write_figures(results: Results, tables: Mapping[str, list[Row]], folder: Path) -> None:
    """Each figure in a wide and a narrow form; without its data there is none, not even an older one."""
    drawings = {
        "figure_4": (figure_4, tables["guards"] if any(row["pair"] for row in tables["guards"]) else []),
        "roc": (roc_figure, tables["roc"]),
        "risk_coverage": (risk_coverage_figure, tables["risk_coverage"]),
    }
    _, examples = shown_examples(results)
    for suffix, narrow in (("", False), ("_narrow", True)):
        figures = {name: draw(rows, results.targets, narrow=narrow) for name, (draw, rows) in drawings.items() if rows}
        if examples:
            figures |= {"figure_2": figure_2(examples, narrow=narrow), "figure_3": figure_3(examples, narrow=narrow)}
        for name in (*drawings, "figure_2", "figure_3"):
            if name not in figures:
                for kind in ("png", "svg"):
                    (folder / f"{name}{suffix}.{kind}").unlink(missing_ok=True)
        for name, figure in figures.items():
            for kind, content in figure_bytes(figure).items():
                with atomic_path(folder / f"{name}{suffix}.{kind}") as temporary:
                    temporary.write_bytes(content)
