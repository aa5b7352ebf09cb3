"""A case as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy as np

from monai_advdefense.guard.causes import cause_in_words, remedy
from monai_advdefense.report.case import FOREIGN, Case
from monai_advdefense.report.charts import drawing_to_data_uri, picture_to_data_uri
from monai_advdefense.report.color_bar import color_bar
from monai_advdefense.report.label_colors import label_colors, structure_name
from monai_advdefense.report.score_curve import score_curve
from monai_advdefense.report.slice_panels import slice_panels
from monai_advdefense.report.slice_view import Plane, SliceView
from monai_advdefense.report.templating import page_template

__all__ = ["case_to_html"]


def case_to_html(
    case: Case,
    views: Sequence[SliceView] = (),
    plane: Plane | None = None,
    *,
    class_names: Mapping[int, str] | None = None,
    thumbnails: Mapping[int, str] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    """Render a case as one page that needs no other file, no script and no network.

    Args:
        case: scores and decisions.
        views: the slices to show in pictures.
        plane: how these slices lie in the patient; needed with ``views``.
        class_names: name of every label, for the legend.
        thumbnails: picture of slices by their number, as ``data:`` addresses, see
            :func:`~monai_advdefense.report.thumbnails_of_rejected`.
        links: files about the volume by what to call them, as paths from the page on, with ``/``.

    Returns:
        The page; its text says first what the verdict is, what to do, and what the verdict does not tell.
    """
    names = class_names or {}
    shown_labels = [np.unique(view.labels).tolist() for view in views if view.labels is not None]
    labels = sorted({label for found in shown_labels for label in found} - {0})
    colors = label_colors(max([*labels, *names]) + 1, names) if labels else {}
    residuals = [view.residual for view in views if view.residual is not None]
    limit = max([float(np.quantile(residual, 0.995)) for residual in residuals], default=0.0)
    finite = [record.score for record in case.judged if math.isfinite(record.score)]
    return page_template("case.html.j2").render(
        case=case,
        cause=cause_in_words,
        remedy=remedy,
        foreign=FOREIGN,
        counts={name: case.count(name) for name in ("accepted", "rejected", "blank", "not_judged", "not_checked")},
        file_name=PurePath(case.input_path).name,
        segmentation_name=PurePath(case.segmentation_path).name,
        highest=max(finite, default=math.nan),
        refused=[record for record in case.slices if record.decision == "rejected" and record.score <= case.threshold],
        curve={
            "wide": drawing_to_data_uri(score_curve(case)),
            "narrow": drawing_to_data_uri(score_curve(case, narrow=True)),
        },
        shown=[_shown(view, plane, colors, limit) for view in views if plane is not None],
        ends=plane.ends.strip() if plane else "",
        residual_bar=drawing_to_data_uri(color_bar(limit)) if limit > 0 else None,
        thumbnails=[(record, thumbnails[record.index]) for record in case.slices if record.index in thumbnails]
        if thumbnails
        else [],
        links={name: quote(path) for name, path in (links or {}).items()},
        legend={structure_name(label, names): colors[label] for label in labels},
    )


def _shown(view: SliceView, plane: Plane, colors: Mapping[int, str], limit: float) -> dict[str, Any]:
    panels = slice_panels(view, plane, colors, residual_limit=limit)
    return {"record": view.record, "view": view, "panels": {name: picture_to_data_uri(panels[name]) for name in panels}}
