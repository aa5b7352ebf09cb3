"""Certify slices of the test split and write the page of the figures."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch

from experiments.arguments import page_parser
from experiments.bundles import BUNDLES
from experiments.certified.measured import certify_slices
from experiments.certified.page import page
from experiments.evaluation.networks import load_guard, segmenter_config
from experiments.pages.markdown import write_page
from experiments.slices import Slices, evenly_spaced, load_slices
from experiments.tables import Facts, Row, quantity_columns
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import exit_on_error
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.metrics import SubjectResampling, certified_counts, dice_from_counts, overlap_counts
from monai_advdefense.weights import load_weights

SHIPPED, TRAINED = "shipped", "trained for the noise"
CONDITIONS = ((SHIPPED, 100), (TRAINED, 100), (TRAINED, 1000))
RADII = (0.1, 0.25, 0.44)
PER_VOLUME = 3
RESAMPLES = 1000


def measure_certified(
    dataset_dir: str | Path,
    *,
    sigma: float = 0.25,
    bundles: str | Path = BUNDLES,
    work_dir: str | Path | None = None,
    output: str | Path = "docs/certified-results.md",
) -> Path:
    """Certify three slices of each test volume with both reformers, the shipped one and that trained for the noise.

    The arguments are the options of the command. A run that was stopped goes on in ``work_dir``, by default
    ``eval/certified`` of the composite bundle. The table lies in the folder ``results`` beside ``output``.

    Raises:
        InputError: a file is missing.
    """
    composite = Path(bundles) / "brain_mri_defended_segmentation"
    work = Path(work_dir or composite / "eval" / "certified")
    network = load_guard(Path(bundles))
    config = segmenter_config(Path(bundles), Path(dataset_dir))
    slices = load_slices(config, Path(dataset_dir), "test")
    slices = slices.at(evenly_spaced(slices.volume, PER_VOLUME))
    classes = int(config.get_parsed_content("num_classes"))
    guard, denoiser = network.network, composite / "models" / "denoiser" / "model.pt"
    rows = [_plain_row(guard, slices, classes)]
    for reformer, n in CONDITIONS:
        if reformer != SHIPPED:
            load_weights(denoiser, guard.get_submodule("reformer"))
        folder = work / f"{network.sha256[:8]}_{file_sha256(denoiser)[:8]}" / f"{reformer}_{sigma:g}_{n}"
        label, radius = certify_slices(cast(DefendedSegmenter, guard), slices, sigma=sigma, n=n, work_dir=folder)
        rows += _rows({"reformer": reformer, "passes": n}, label, radius, slices, classes)
    facts: Facts = {
        "command": f"python -m experiments.certified --dataset_dir {Path(dataset_dir).name}",
        "date": datetime.date.today().isoformat(),
        "slices": str(len(slices)),
        "volumes": str(len(np.unique(slices.volume))),
        "subjects": str(len(np.unique(slices.subject))),
        "sigma": f"{sigma:g}",
        "seed": "0",
        "resamples": str(RESAMPLES),
        "denoiser_sha256": file_sha256(denoiser),
    }
    tables = {"certified": pd.DataFrame(rows), "certified_facts": facts}
    return write_page(Path(output), page, tables, Path(output).parent / "results")


def _plain_row(guard: torch.nn.Module, slices: Slices, classes: int) -> Row:
    """The guard's reformer and segmenter as they are, without noise: nothing is certified."""
    reformer, segmenter = guard.get_submodule("reformer"), guard.get_submodule("segmenter")
    with torch.no_grad():
        logits = [segmenter(reformer(image)) for image in slices.image.split(1)]
    counts = overlap_counts(torch.cat(logits).argmax(1), slices.label, classes)
    return {"reformer": SHIPPED, "passes": 0, "radius": 0.0, "abstained": 0.0, **_dice(counts, slices)}


def _rows(names: Row, label: torch.Tensor, radius: torch.Tensor, slices: Slices, classes: int) -> list[Row]:
    """One row without a radius, the vote alone, and one for each radius."""
    inside = slices.image[:, 0] > 0
    rows: list[Row] = []
    for at in (0.0, *RADII):
        counts = certified_counts(label, radius, slices.label, at=at, num_classes=classes)
        abstained = float((radius[inside] < max(at, 1e-9)).float().mean())
        rows.append({**names, "radius": at, "abstained": abstained, **_dice(counts, slices)})
    return rows


def _dice(counts: torch.Tensor, slices: Slices) -> Row:
    """Mean Dice over the structures of a slice, and Dice of all structures' pixels together."""
    resampling = SubjectResampling(slices.subject, resamples=RESAMPLES)
    mean = dice_from_counts(counts)[:, 1:].nanmean(1).numpy()
    together = dice_from_counts(counts[:, 1:].sum(1)).numpy()
    return quantity_columns({"dice": resampling.mean(mean), "dice_together": resampling.mean(together)})


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Certify slices of the test split and write the page of the figures."""
    parser = page_parser("certified", main.__doc__, page="certified-results.md")
    parser.add_argument("--sigma", type=float, default=0.25, help="deviation of the noise, in units of the image")
    print(measure_certified(**vars(parser.parse_args(arguments))))


if __name__ == "__main__":
    main()
