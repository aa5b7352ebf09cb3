"""Write everything that the experiments found: files of numbers, plots and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from experiments.paper.baseline_sections import baseline_table, baselines_html, baselines_markdown
from experiments.paper.claims import bar_table, claim_table, comparison_table
from experiments.paper.curve_plots import risk_coverage_plot, roc_plot
from experiments.paper.page import html_page, markdown_page, not_reproduced_page
from experiments.paper.pairs_plot import pairs_plot
from experiments.paper.plot_style import encoded
from experiments.paper.quantities import quantities
from experiments.paper.results import Results
from experiments.paper.rows import attack_table, detection_table, guard_table, risk_coverage_table, roc_table
from experiments.paper.spectrum_plots import images_plot, shown_examples, spectra_plot
from experiments.tables import write_tables
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.errors import InputError

NEEDED_FACTS = ("command", "date", "preset", "seed", "sizes")
"""Facts that every caption names."""


def write(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write all files of numbers (CSV), plots (PNG, SVG) and pages (HTML, Markdown).

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
    write_tables({"facts": results.counted(resamples), **tables}, folder)
    _write_plots(results, tables, folder)
    _write_text(folder / "not_reproduced.md", not_reproduced_page(folder))
    return _write_pages(folder, "results", markdown_page(folder), html_page(folder))


def write_baselines(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write the numbers of the baselines and a page of their own, and put them into the page of all results.

    As :func:`write`, with ``baselines.csv``, ``baselines_facts.csv``, ``baselines.html`` and ``baselines.md``. Where
    ``folder`` holds the results of another preset, their page is made anew with the baselines as a section; where it
    does not yet, a later :func:`write` does so.

    Returns:
        The HTML page, ``baselines.html``.
    """
    table = baseline_table(results, quantities(results, resamples=resamples))
    write_tables({"baselines": table, "baselines_facts": results.counted(resamples)}, folder)
    if (folder / "facts.csv").is_file():
        _write_pages(folder, "results", markdown_page(folder), html_page(folder))
    return _write_pages(folder, "baselines", baselines_markdown(folder), baselines_html(folder))


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _write_pages(folder: Path, name: str, markdown: str, html: str) -> Path:
    _write_text(folder / f"{name}.md", markdown)
    _write_text(folder / f"{name}.html", html)
    return folder / f"{name}.html"


def _tables(results: Results, resamples: int) -> dict[str, pd.DataFrame]:
    found = quantities(results, resamples=resamples)
    comparisons = comparison_table(results, found)
    return {
        "detection": detection_table(results, found),
        "guards": guard_table(results, found),
        "attacks": attack_table(results, found),
        "comparisons": comparisons,
        "claims": claim_table(comparisons),
        "bars": bar_table(found),
        "roc": roc_table(results, found),
        "risk_coverage": risk_coverage_table(results, found),
    }


def _write_plots(results: Results, tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Each plot in a wide and a narrow form; without its data there is none, not even an older one."""
    _, examples = shown_examples(results)
    plots: dict[str, tuple[Callable[..., Figure], tuple[Any, ...] | None]] = {
        "figure_2": (images_plot, (examples,) if examples else None),
        "figure_3": (spectra_plot, (examples,) if examples else None),
        "figure_4": (pairs_plot, (tables["guards"], results.targets) if tables["guards"]["pair"].any() else None),
        "roc": (roc_plot, None if tables["roc"].empty else (tables["roc"], results.targets)),
        "risk_coverage": (
            risk_coverage_plot,
            None if tables["risk_coverage"].empty else (tables["risk_coverage"], results.targets),
        ),
    }
    for name, (draw, data) in plots.items():
        for suffix, narrow in (("", False), ("_narrow", True)):
            files: Mapping[str, bytes | None] = {"png": None, "svg": None}
            if data is not None:
                files = encoded(draw(*data, narrow=narrow))
            for kind, content in files.items():
                path = folder / f"{name}{suffix}.{kind}"
                if content is None:
                    path.unlink(missing_ok=True)
                    continue
                with atomic_path(path) as temporary:
                    temporary.write_bytes(content)
