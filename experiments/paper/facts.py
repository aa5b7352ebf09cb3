"""What captions say of a run: command, date, sizes, epochs and versions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from experiments.paper.presets import GAN, Preset
from experiments.tables import Facts
from monai_advdefense.report.provenance import package_versions


def run_facts(preset: str, sizes: Preset, seed: int) -> Facts:
    """Facts of a run, for its captions."""
    # Where things lie is the reader's to fill in.
    data = "" if sizes.phantoms else "--dataset_dir DATA "
    return {
        "command": f"python -m experiments.paper {data}--work_dir WORK --preset {preset} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "preset": preset,
        "seed": str(seed),
        "sizes": _sizes(sizes),
        "epochs": _epochs(sizes),
        **package_versions(),
    }


def _sizes(preset: Preset) -> str:
    networks = [f"{name} {_widths(definition)}" for name, definition in preset.networks.items()]
    if preset.gan:
        widths = "-".join(map(str, [*preset.gan["channels"][-2::-1], 1]))
        search = "codes of {latent_size}, {restarts} searches of {steps} steps".format(**preset.gan)
        networks.append(f"{GAN} {widths} ({search})")
    return f"{preset.side} x {preset.side} pixels of {preset.pixel_size:g} mm, {', '.join(networks)}"


def _widths(definition: Mapping[str, Any]) -> str:
    widths = definition.get("features") or definition.get("down_blocks")
    described = "-".join(map(str, widths)) if isinstance(widths, list) else f"{widths} filters"
    if "growth_rate" in definition:
        growth, first, dropout = (definition[name] for name in ("growth_rate", "init_features", "dropout"))
        described += f" (growth {growth}, first {first}, dropout {dropout:g})"
    return described


def _epochs(preset: Preset) -> str:
    roles = (
        f"{role}: {', '.join(f'{name} {count}' for name, count in counts.items())}"
        for role, counts in preset.epochs.items()
    )
    return "; ".join(roles)
