"""Many cases as one self-contained HTML page."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import numpy as np

from monai_advdefense.guard.batch_alarm import BatchFinding
from monai_advdefense.guard.causes import cause_in_words
from monai_advdefense.report.case import Case
from monai_advdefense.report.charts import figure_to_data_uri
from monai_advdefense.report.group import GroupEntry, group_headline, worst_first
from monai_advdefense.report.score_histogram import BAR, HEIGHT, WIDTH, histogram_paths, score_edges, score_histogram
from monai_advdefense.report.templating import page_template

__all__ = ["group_to_html"]

# A browser lays out the parts of a long table that are seen.
_PART = 100


def group_to_html(entries: Iterable[GroupEntry], *, inputs: str = "", batch: BatchFinding | None = None) -> str:
    """Render many volumes as one page that needs no script and no network; it links to the volumes' own reports.

    Args:
        entries: the volumes in any order; the page shows the worst first.
        inputs: folder of the inputs, to be named on the page.
        batch: how many of the volumes are suspicious, compared with clean ones; None if it was not compared.

    Returns:
        The page, to be written into the folder of the results; less than 1 kB per volume.
    """
    ordered = worst_first(entries)
    cases = [entry.case for entry in ordered if entry.case is not None]
    edges = score_edges(ordered)
    scores = [score for entry in ordered for score in entry.scores]
    verdicts = [entry.verdict for entry in ordered]
    return page_template("group.html.j2").render(
        headline=group_headline(ordered),
        state=_state(ordered),
        rows=[_row(entry, histogram_paths(entry, edges)) for entry in ordered],
        size=(WIDTH, HEIGHT, BAR),
        part_size=_PART,
        batch=batch,
        counts={verdict: verdicts.count(verdict) for verdict in ("clean", "review", "reject", "not_checked", "failed")},
        checked=sum(case.checked for case in cases),
        rejected=sum(case.count("rejected") for case in cases),
        histogram={
            "wide": figure_to_data_uri(score_histogram(ordered)),
            "narrow": figure_to_data_uri(score_histogram(ordered, narrow=True)),
        }
        if scores
        else None,
        lowest=min(scores, default=math.nan),
        highest=max(scores, default=math.nan),
        beyond=(int((np.array(scores) > edges[-1]).sum()), float(edges[-1])),
        threshold=_same([case.threshold for case in cases if math.isfinite(case.threshold)]),
        rate=_same([case.provenance.false_positive_rate for case in cases]),
        about=_about(cases),
        inputs=inputs,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _row(entry: GroupEntry, paths: dict[str, str]) -> dict[str, Any]:
    path = PurePosixPath(entry.name)
    return {
        "entry": entry,
        "folder": "" if path.parent == PurePosixPath() else f"{path.parent}/",
        "file": path.name,
        "report": quote(entry.report),
        "segmentation": quote(entry.segmentation),
        "paths": paths,
        "cause": _cause(entry),
    }


def _cause(entry: GroupEntry) -> str:
    """The likely cause in words; empty without one."""
    cause = entry.case.found.cause if entry.case and entry.case.found else ""
    return cause_in_words(cause) if cause else ""


def _state(entries: Sequence[GroupEntry]) -> str:
    """The worst verdict, which gives the page its color."""
    found = {entry.verdict for entry in entries}
    order = ("reject", "failed", "review", "not_checked")
    return next((verdict for verdict in order if verdict in found), "clean")


def _same(values: Sequence[Any]) -> Any:
    """The value that all have in common; None if there is none."""
    return values[0] if values and all(value == values[0] for value in values) else None


def _about(cases: Sequence[Case]) -> dict[str, str]:
    """Programs and weights of all cases; where they differ, each of them."""
    facts: dict[str, list[str]] = {}
    for case in cases:
        about = case.provenance
        named = {
            "Model": about.model or "not stated",
            "Weights (SHA-256)": about.weights_sha256 or "not stated",
            **({"Screen (SHA-256)": about.screen_sha256} if about.screen_sha256 else {}),
            "License of the weights": about.weights_license or "not stated",
            **about.versions,
        }
        for name, value in named.items():
            if value not in facts.setdefault(name, []):
                facts[name].append(value)
    return {name: ", ".join(values) for name, values in facts.items()}
