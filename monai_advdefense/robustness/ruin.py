"""The smallest change that ruins an image, or erases a structure."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_advdefense.robustness.measurements import Measurements, mean_over_structures

__all__ = ["erased_structures", "ruined_images"]

_Floats: TypeAlias = npt.NDArray[np.float64]
RUINED = 0.5
"""An image is ruined if its mean Dice is below this share of that of the clean image."""
ERASED = 0.1
"""A structure is erased if its Dice is below this, and was at least :data:`FOUND` on the clean image."""
FOUND = 0.5


def ruined_images(measurements: Measurements) -> dict[str, Any]:
    """How many images attacks ruin, and by how small a change.

    Returns:
        ``images`` that could be ruined, ``by_budget`` the share that is, and ``smallest_change``: median, least and
        the share that no attack ruined; changes are L2 norms over that of the image.
    """
    clean = mean_over_structures(measurements.clean.sample_dice()[0])
    able = clean > 0
    attacks = measurements.of_kind("attack")
    ruined = [mean_over_structures(one.sample_dice()) < RUINED * clean for one in attacks]
    return {"images": int(able.sum()), **_by_budget(measurements, ruined, able)}


def erased_structures(measurements: Measurements) -> dict[str, dict[str, Any]]:
    """The same of each structure, by name: in how many images attacks erase it, and by how small a change."""
    clean = measurements.clean.sample_dice()[0]
    found = {}
    for place, name in enumerate(measurements.structures):
        able = clean[:, place] >= FOUND
        erased = [one.sample_dice()[..., place] < ERASED for one in measurements.of_kind("attack")]
        found[name] = {"images": int(able.sum()), **_by_budget(measurements, erased, able)}
    return found


def _by_budget(
    measurements: Measurements, happened: list[npt.NDArray[np.bool_]], able: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Shares and smallest changes, from what happened ``(budgets, N)`` by each attack to samples that were ``able``."""
    attacks = measurements.of_kind("attack")
    if not attacks or not able.any():
        return {"by_budget": [], "smallest_change": None}
    # Ever by a smaller budget is ever by a larger one.
    ever = np.logical_or.accumulate(np.any(happened, axis=0), axis=0)[:, able]
    changes = np.stack([np.where(did, one.change, np.inf) for one, did in zip(attacks, happened, strict=True)])
    least = changes.min(axis=(0, 1))[able]
    reached = np.isfinite(least)
    return {
        "by_budget": [float(share) for share in ever.mean(axis=1)],
        "smallest_change": {
            "median": float(np.median(least)) if np.isfinite(np.median(least)) else None,
            "least": float(least.min()) if reached.any() else None,
            "never": float(1 - reached.mean()),
        },
    }
