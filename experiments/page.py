"""The Markdown page of the figures, made from the tables that the evaluation wrote."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.page_texts import ACCIDENTS, ATTACKS, CLAIMS, INTRODUCTION, NOISE, WORDS

__all__ = ["claims", "render", "write_rows"]

Row = dict[str, str]

FORMS = {
    "dag": "DAG",
    "xie": "DAG, form of Xie et al.",
    "noise": "Rician noise of the norm of DAG",
    "selective_pgd": "**Attacker who knows the guard**",
}
STRENGTHS = {"1.0": "γ", "0.5": "γ/2", "0.125": "γ/8"}


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV; a column that a row lacks stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def claims(segmenters: Sequence[Row], guard: Sequence[Row], attacks: Sequence[Row]) -> list[Row]:
    """What was to be shown, beside what came out: met, missed, or not measured."""
    unet = next(row for row in segmenters if row["network"] == "UNet" and row["structure"] == "mean")
    full = {row["target"]: row for row in attacks if _is_full(row)}
    return [
        _claim("UNet: mean Dice over the structures", unet, "dice", low=0.80),
        _claim("Spectral score, brain-only DAG type A at full strength: ROC-AUC", full["A"], "auc_spectral", low=0.95),
        _claim("Spectral score, brain-only DAG type B at full strength: ROC-AUC", full["B"], "auc_spectral", low=0.95),
        _claim("Realized false positive rate of the shipped threshold", guard[0], "false_positive_rate", 0.01, 0.12),
        _claim("Accepted clean slices: change of Dice by the reformer", guard[0], "difference", low=-0.03),
        _claim(
            "Brain-only DAG type A: share of lost Dice that the reformer wins back", full["A"], "recovered", low=0.5
        ),
    ]


def _is_full(row: Row) -> bool:
    return (row["form"], row["strength"], row["support"]) == ("dag", "1.0", "brain")


def _claim(text: str, row: Row, name: str, low: float = -math.inf, high: float = math.inf) -> Row:
    bar = f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
    value = float(row.get(name) or "nan")
    verdict = "not measured" if math.isnan(value) else "met" if low <= value <= high else "missed"
    return {"claim": text, "bar": bar, "verdict": verdict} | {
        f"figure{end}": row.get(name + end, "") for end in ("", "_low", "_high")
    }


def render(folder: Path) -> str:
    """Make the page from the tables in a folder, to which it links as one that lies beside it."""
    tables = {
        name: _read(folder / f"{name}.csv")
        for name in ("facts", "claims", "segmenters", "guard", "choice", "attacks", "corruptions")
    }
    facts = tables["facts"][0]
    attacked = accidents = ""
    if facts.get("attacked_slices"):
        attacked = (
            f"{facts['attacked_slices']} slices, {facts['slices']} of each (attacker who knows the guard: every second "
            f"of them); the guard decides by the {facts['score']} score"
        )
        accidents = f"{facts['attacked_slices']} slices, {facts['slices']} of each"
    links = ", ".join(f"[{name}.csv]({folder.name}/{name}.csv)" for name in tables)
    sections = [
        "# Results on the test split\n\n" + INTRODUCTION + "Tables: " + links + ".",
        "## Words\n\n" + "\n".join(f"- {line}" for line in WORDS),
        "## Claims\n\n" + CLAIMS + _caption(facts) + _claims(tables["claims"]),
        "## Segmenters\n\n" + _caption(facts, "all slices that are not blank") + _segmenters(tables["segmenters"]),
        "## Guard on clean slices\n\n" + _caption(facts, _clean_slices(facts)) + _guard(tables["guard"][0]),
        "## Choice of the score, on the validation split\n\n" + _choice(tables["choice"]),
        "## Detection of attacks\n\n" + NOISE + _caption(facts, attacked) + _detection(tables["attacks"]),
        "## Dice under attack\n\n" + _caption(facts, attacked) + _dice(tables["attacks"]),
        "## Accidents\n\n" + ACCIDENTS + _caption(facts, accidents) + _accidents(tables["corruptions"]),
        "## Structures (UNet)\n\n"
        + _caption(facts, "all slices that are not blank")
        + _structures(tables["segmenters"]),
        "## How it was measured\n\n" + _methods(facts),
    ]
    return "\n\n".join(sections) + "\n"


_BOTH_SCORES = {
    "auc_spectral": "ROC-AUC, spectral score",
    "auc_combined": "ROC-AUC, combined score",
    "tpr_at_5_spectral": "TPR at 5 % FPR, spectral",
    "tpr_at_5_combined": "TPR at 5 % FPR, combined",
}


def _caption(facts: Row, slices: str = "") -> str:
    counted = f", {slices}" if slices else ""
    return (
        f"*{facts['volumes']} volumes of {facts['subjects']} subjects{counted}; seed {facts['seed']}, "
        f"{facts['resamples']} resamples, {facts['date']}.*\n\n"
    )


def _clean_slices(facts: Row) -> str:
    return f"{facts['clean_slices']} slices, all that are not blank" if facts.get("clean_slices") else ""


def _methods(facts: Row) -> str:
    lines = [
        f"Command: `{facts['command']}`, {facts['date']}.",
        f"Networks trained with seed {facts['training_seed']}."
        + (f" Guard: {facts['size']}." if facts.get("size") else ""),
        "Dice: counts summed over the slices of a volume, mean over the structures present in label or prediction, "
        "mean over volumes.",
        *ATTACKS,
    ]
    return "\n".join(f"- {line}" for line in lines)


def _claims(rows: Sequence[Row]) -> str:
    header = ("Claim", "Bar", "Figure", "Verdict")
    return _table(header, ((row["claim"], row["bar"], _figure(row, "figure"), row["verdict"]) for row in rows))


def _segmenters(rows: Sequence[Row]) -> str:
    means = [row for row in rows if row["structure"] == "mean"]
    return _table(
        ("Network", "Size", "Mean Dice"),
        ((row["network"], row["size"], _figure(row, "dice")) for row in means),
    )


def _structures(rows: Sequence[Row]) -> str:
    chosen = [row for row in rows if row["network"] == "UNet" and row["structure"] != "mean"]
    return _table(
        ("Structure", "Dice"),
        ((row["structure"], _figure(row, "dice")) for row in chosen) if chosen else [("not trained", "–")],
    )


def _guard(row: Row) -> str:
    names = {
        "coverage": "Coverage: share of slices accepted",
        "false_positive_rate": "Realized false positive rate of the shipped threshold",
        "accepted_plain": "Dice of accepted slices, segmenter alone",
        "accepted_reformed": "Dice of accepted slices, with reformer",
        "difference": "Difference",
        "all_plain": "Dice of all slices, segmenter alone",
        "all_reformed": "Dice of all slices, with reformer",
    }
    lines = [(text, _figure(row, name)) for name, text in names.items()]
    return _table(("Figure", "Value"), [("Threshold", row.get("threshold") or row["size"]), *lines])


def _choice(rows: Sequence[Row]) -> str:
    """Both scores under the attacks that choose between them."""
    if any(row.get("size") == "not trained" for row in rows):
        return "Not trained."
    means = {
        name: sum(float(row[f"auc_{name}"] or "nan") for row in rows) / len(rows) for name in ("spectral", "combined")
    }
    better = "combined" if means["combined"] > means["spectral"] else "spectral"
    # Two subjects are too few for intervals.
    lines = (
        (row["target"], STRENGTHS[row["strength"]], *(f"{float(row[name] or 'nan'):.3f}" for name in _BOTH_SCORES))
        for row in rows
    )
    return (
        "The guard decides by the score with the larger mean ROC-AUC over the paper's attacks, brain only, on slices "
        f"that are not of the test split ({rows[0]['slices']} slices): spectral {means['spectral']:.3f}, combined "
        f"{means['combined']:.3f}, so the {better} one. The combined score needs a second pass through the segmenter."
        "\n\n" + _table(("Target", "Strength", *_BOTH_SCORES.values()), lines)
    )


def _detection(rows: Sequence[Row]) -> str:
    columns = {
        **_BOTH_SCORES,
        "tpr_shipped": "TPR, shipped threshold",
        "norm": "L2 norm",
        "flipped": "Flipped",
    }
    return _attack_table(rows, columns)


def _dice(rows: Sequence[Row]) -> str:
    columns = {
        "accepted_and_bad": "Accepted and bad",
        "dice_clean": "Clean",
        "dice_attacked": "Attacked",
        "dice_reformed": "With reformer",
        "recovered": "Won back",
        "dice_accepted": "Accepted, with reformer",
        "coverage": "Coverage",
    }
    return _attack_table(rows, columns)


def _accidents(rows: Sequence[Row]) -> str:
    columns = {
        "tpr_shipped": "Rejected",
        "accepted_and_bad": "Accepted and bad",
        "dice_clean": "Clean",
        "dice_attacked": "Spoilt",
        "dice_reformed": "With reformer",
        "norm": "L2 norm",
    }
    lines = (
        (row["target"], *("not trained" if row["size"] == "not trained" else _figure(row, name) for name in columns))
        for row in rows
    )
    return _table(("Accident", *columns.values()), lines)


def _attack_table(rows: Sequence[Row], columns: dict[str, str]) -> str:
    lines = []
    # Who knows the guard comes first: his rows say what the guard is worth against the worst.
    for row in sorted(rows, key=lambda row: row["form"] != "selective_pgd"):
        strength = "0.5/255" if row["form"] == "xie" else STRENGTHS.get(row["strength"], row["strength"])
        if row["form"] == "selective_pgd":
            strength = f"{float(row['strength']):.2g} of the norm of A"
        missing = row["size"] == "not trained"
        figures = ["not trained" if missing else _figure(row, name) for name in columns]
        lines.append((FORMS[row["form"]], row["target"], strength, row["support"], *figures))
    return _table(("Attack", "Target", "Strength", "Support", *columns.values()), lines)


def _figure(row: Row, name: str) -> str:
    estimate, low, high = (float(row.get(name + end) or "nan") for end in ("", "_low", "_high"))
    if math.isnan(estimate):
        return "–"
    return f"{estimate:.3f}" + ("" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
