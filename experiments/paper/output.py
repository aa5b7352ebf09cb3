"""Write everything that the experiments found: files of numbers, plots and pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from experiments.pages.markdown import write_page
from experiments.paper.baselines import baseline_table
from experiments.paper.claims import bar_table, claim_table, comparison_table
from experiments.paper.curve_plots import risk_coverage_plot, roc_plot
from experiments.paper.page import baselines_page, not_reproduced_page, results_page
from experiments.paper.pairs_plot import pairs_plot
from experiments.paper.quantities import quantities
from experiments.paper.results import Results
from experiments.paper.rows import attack_table, detection_table, guard_table, risk_coverage_table, roc_table
from experiments.paper.spectrum_plots import images_plot, spectra_plot
from experiments.tables import write_tables
from monai_advdefense.atomic_path import atomic_path


def write(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write all files of numbers (CSV), plots (PNG) and pages (Markdown), the page of results, ``results.md``, at last.

    The same results give the same bytes. Each file appears whole or not at all; older ones are replaced.

    Raises:
        InputError: if a score is not finite.
        CalibrationError: if a detector has too few calibration scores for a threshold.
        OutputError: if a file cannot be written.
    """
    tables = _tables(results, resamples)
    write_tables({"facts": results.counted(resamples), **tables}, folder)
    for name, figure in plots(results, tables).items():
        _write_plot(folder / f"{name}.png", figure)
    write_page(folder / "not_reproduced.md", not_reproduced_page)
    return write_page(folder / "results.md", results_page)


def write_baselines(results: Results, folder: Path, *, resamples: int = 1000) -> Path:
    """Write the numbers of the baselines and a page of their own, ``baselines.md``.

    Where ``folder`` holds the results of another preset, their page is made anew with the baselines as a section; where
    it does not yet, a later :func:`write` does so.
    """
    table = baseline_table(results, quantities(results, resamples=resamples))
    write_tables({"baselines": table, "baselines_facts": results.counted(resamples)}, folder)
    if (folder / "facts.csv").is_file():
        write_page(folder / "results.md", results_page)
    return write_page(folder / "baselines.md", baselines_page)


def plots(results: Results, tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure | None]:
    """Each plot by the name of its file; None where there is nothing to draw."""
    examples, targets = results.examples, results.targets
    guards, roc, risk_coverage = (tables[name] for name in ("guards", "roc", "risk_coverage"))
    return {
        "figure_2": images_plot(examples) if examples else None,
        "figure_3": spectra_plot(examples) if examples else None,
        "figure_4": pairs_plot(guards, targets) if guards["pair"].any() else None,
        "roc": None if roc.empty else roc_plot(roc, targets),
        "risk_coverage": None if risk_coverage.empty else risk_coverage_plot(risk_coverage, targets),
    }


def _write_plot(path: Path, figure: Figure | None) -> None:
    """The same bytes for the same figure; without one, not even an older file stays."""
    if figure is None:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


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
