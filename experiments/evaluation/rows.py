"""The tables of the page of results."""

from __future__ import annotations

import math
from dataclasses import asdict

import pandas as pd
from tqdm import tqdm

from experiments.attacks import AttackSetting, attack_settings, corruption_settings
from experiments.evaluation.networks import Network, load_segmenter
from experiments.evaluation.quantities import (
    attack_quantities,
    detection_quantities,
    guard_quantities,
    segmenter_quantities,
)
from experiments.evaluation.split import Split
from experiments.slices import evenly_spaced
from experiments.tables import Facts, Row, quantity_columns, select
from monai_advdefense.data import malc2012_classes
from monai_advdefense.metrics import Resampled

SEGMENTERS = {"UNet": (), "SegNet": ("segnet",), "DenseNet": ("densenet",)}
GUARD = "segmenter_in_the_guard"


def segmenter_table(split: Split, guard: Network, resamples: int) -> pd.DataFrame:
    """One row for each network and structure, "mean" first; networks without weights are said to be not trained."""
    rows: list[Row] = []
    names = ("mean", *malc2012_classes(split.dataset_dir)[1:])
    networks = {name: load_segmenter(split.bundles, split.dataset_dir, *files) for name, files in SEGMENTERS.items()}
    for name, network in {**networks, "segmenter in the guard": guard}.items():
        if network is None:
            rows.append({"network": name, "structure": "mean", "size": "not trained"})
            continue
        found = segmenter_quantities(split.clean(name.replace(" ", "_"), network), resamples)
        rows += [
            {"network": name, "structure": structure, "size": network.description, **_columns({"dice": dice})}
            for structure, dice in zip(names, found, strict=True)
        ]
    return pd.DataFrame(rows, columns=["network", "structure", "size", "dice", "dice_low", "dice_high"])


def guard_facts(split: Split, guard: Network) -> Facts:
    """What captions tell of the guard and of the slices that it was measured on."""
    volume = split.clean(GUARD, guard)["volume"]
    return {
        "clean_slices": str(len(volume)),
        "attacked_slices": str(len(evenly_spaced(volume, split.count))),
        "size": guard.description,
        "score": guard.guard.decision.name,
    }


def guard_table(split: Split, guard: Network, resamples: int) -> pd.DataFrame:
    """The row of the guard on clean slices."""
    threshold = float(guard.guard.threshold)
    found = guard_quantities(split.clean(GUARD, guard), threshold, resamples)
    return pd.DataFrame([{"size": guard.description, "threshold": threshold, **_columns(found)}])


def attack_table(split: Split, guard: Network, resamples: int) -> pd.DataFrame:
    """One row for each attack and accident."""
    settings = [*attack_settings(whole=(1.0,), noise="A"), *corruption_settings()]
    score, threshold = guard.guard.decision.name, float(guard.guard.threshold)
    rows = []
    for setting, clean, attacked in split.attacks(guard, split.clean(GUARD, guard), settings):
        found = attack_quantities(clean, attacked, threshold, resamples)
        auc, dice = found[f"auc_{score}"].estimate, found["dice_attacked"].estimate
        tqdm.write(f"{setting.name}: ROC-AUC {auc:.3f}, Dice {dice:.3f}")
        rows.append({**asdict(setting), "size": guard.description, **_columns(found)})
    return pd.DataFrame(rows)


def choice_table(split: Split, guard: Network, resamples: int) -> pd.DataFrame:
    """One row for each brain-only attack of the paper on the split that the score in use is chosen by."""
    settings = [AttackSetting(s.form, s.target, s.strength) for s in attack_settings(whole=()) if s.form == "dag"]
    rows = []
    for setting, clean, attacked in split.attacks(guard, split.clean("guard_on_validation", guard), settings):
        found = _columns(detection_quantities(clean, attacked, resamples))
        rows.append({**asdict(setting), "slices": len(attacked["score"]), **found})
    return pd.DataFrame(rows)


def claim_table(segmenters: pd.DataFrame, guard: pd.DataFrame, attacks: pd.DataFrame) -> pd.DataFrame:
    """What was to be shown, beside what came out: met, missed, or not measured."""
    unet = select(segmenters, network="UNet", structure="mean")
    full = {kind: select(attacks, form="dag", target=kind, strength=1.0, support="brain") for kind in "AB"}
    spectral = "Spectral score, brain-only DAG type {} at full strength: ROC-AUC"
    won_back = "Brain-only DAG type A: share of lost Dice that the reformer wins back"
    claims = [
        ("UNet: mean Dice over the structures", unet, "dice", 0.80, math.inf),
        *((spectral.format(kind), full[kind], "auc_spectral", 0.95, math.inf) for kind in "AB"),
        ("Realized false positive rate of the shipped threshold", guard, "false_positive_rate", 0.01, 0.12),
        ("Accepted clean slices: change of Dice by the reformer", guard, "difference", -0.03, math.inf),
        (won_back, full["A"], "recovered", 0.5, math.inf),
    ]
    return pd.DataFrame([_claim(*claim) for claim in claims])


def _claim(text: str, table: pd.DataFrame, name: str, low: float, high: float) -> Row:
    row = table.iloc[0]
    value = float(row.get(name, math.nan))
    verdict = "not measured" if math.isnan(value) else "met" if low <= value <= high else "missed"
    bar = f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
    quantity = {f"figure{end}": row.get(name + end, math.nan) for end in ("", "_low", "_high")}
    return {"claim": text, "bar": bar, "verdict": verdict, **quantity}


def _columns(quantities: dict[str, Resampled]) -> Row:
    return quantity_columns(quantities, dropped=False)
