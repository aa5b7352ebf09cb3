"""A robustness report as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_advdefense.report.charts import figure_to_data_uri
from monai_advdefense.report.templating import page_template
from monai_advdefense.robustness.charts import dice_curves
from monai_advdefense.robustness.measurements import Measurements

__all__ = ["SECTIONS", "to_html"]

SECTIONS = {
    "claims": "Claims",
    "attacks": "Attacks",
    "ruined": "Smallest changes that ruin",
    "guard": "The guard",
    "corruptions": "Corruptions",
}
"""Titles of the sections with figures, by their id in the page."""


def to_html(report: Mapping[str, Any], measurements: Measurements) -> str:
    """Render a report as a page that needs no script and no network.

    Args:
        report: as in ``robustness.json``.
        measurements: what it was made of, for the pictures.
    """
    pictures = {one.condition.name: one.pictures for one in measurements.measured}
    claims = report["claims"]
    clean = claims["clean"]["dice"]["estimate"]
    found = {name for level in (claims["clean"], *claims["worst_case"]) for name in _present(level["structures"])}
    return page_template("robustness.html.j2").render(
        report=report,
        found_structures=[name for name in report["structures"] if name in found],
        absent=[name for name in report["structures"] if name not in found],
        headline=headline(report),
        name=report["about"].get("network") or report["network"]["class"],
        curves=_curves(report, clean) if report["attacks"] else None,
        corruptions=worst_first(report["corruptions"]),
        pictures=pictures,
        sections={key: title for key, title in SECTIONS.items() if _has(report, key)},
        subjects=len({case["subject"] for case in report["cases"]}),
        images=sum(case["samples"] for case in report["cases"]),
    )


def headline(report: Mapping[str, Any]) -> str:
    """The claim in one sentence.

    Example:
        >>> level = {"level": 0.004, "dice": {"estimate": 0.25}}
        >>> headline({"claims": {"clean": {"dice": {"estimate": 0.9}}, "worst_case": [level]}})
        'Mean Dice falls from 0.90 to 0.25 at worst when attacks change each voxel by up to 0.4 % of the range'
    """
    clean, worst = report["claims"]["clean"]["dice"]["estimate"], report["claims"]["worst_case"]
    if clean is None:
        return "No structure was there to be measured"
    if not worst:
        return f"Mean Dice of the clean images is {clean:.2f}; no attack was measured"
    last = worst[-1]
    return (
        f"Mean Dice falls from {clean:.2f} to {last['dice']['estimate']:.2f} at worst when attacks change each voxel "
        f"by up to {100 * last['level']:.2g} % of the range"
    )


def worst_first(corruptions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Corruptions by their lowest Dice."""

    def lowest(one: Mapping[str, Any]) -> float:
        return min(
            (level["dice"]["estimate"] for level in one["levels"] if level["dice"]["estimate"] is not None), default=1.0
        )

    return sorted(corruptions, key=lowest)


def _present(structures: Mapping[str, Any]) -> list[str]:
    """Structures that label or prediction had somewhere."""
    return [name for name, dice in structures.items() if dice["estimate"] is not None]


def _curves(report: Mapping[str, Any], clean: float | None) -> dict[str, str]:
    curves = {"worst case": report["claims"]["worst_case"], **{one["name"]: one["levels"] for one in report["attacks"]}}
    label = "Largest change of a voxel (% of the range)"
    sizes = {"wide": False, "narrow": True}
    return {
        size: figure_to_data_uri(dice_curves(curves, clean=clean or 0.0, x_label=label, narrow=narrow))
        for size, narrow in sizes.items()
    }


def _has(report: Mapping[str, Any], section: str) -> bool:
    return bool(report.get(section))
