"""Write attacked copies of volumes, and measure them as a program would that reads them."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.networks.utils import eval_mode
from monai.transforms import Compose, ScaleIntensityRange, ScaleIntensityRanged, ScaleIntensityRangePercentilesd
from monai.transforms.utils_pytorch_numpy_unification import percentile
from torch import Tensor

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.attacks.input_units import to_input_units
from monai_advdefense.errors import OutputError, first_cause
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.handlers.each_volume import EachVolume
from monai_advdefense.handlers.volume_writer import write_like
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog

__all__ = ["AttackWriter", "measure_attack"]

_BATCH = 16


def measure_attack(network: DefendedSegmenter, clean: Tensor, attacked: Tensor) -> list[dict[str, Any]]:
    """What an attack on slices achieves against the segmenter alone, and whether the detector sees it.

    Args:
        network: the guard; its segmenter sees the images as they are, not reformed.
        clean: slices ``(N, 1, H, W)`` in [0, 1].
        attacked: the same slices after the attack.

    Returns:
        For each slice ``norm``, L2 of the difference; ``flipped``, share of the pixels that were segmented as a
        structure and are no longer segmented as that one (None without such pixels); ``success``, all of them are
        flipped; ``score``, ``accepted`` of the guard, and both with the suffix ``_clean`` for the clean slice.
    """
    rows: list[dict[str, Any]] = []
    with eval_mode(network):
        for before, after in zip(clean.split(_BATCH), attacked.split(_BATCH), strict=True):
            labels, predictions = (network.segmenter(part).argmax(1).flatten(1) for part in (before, after))
            targeted = labels != 0
            flipped = (targeted & (predictions != labels)).sum(1) / targeted.sum(1)
            columns: dict[str, Tensor] = {
                "norm": torch.linalg.vector_norm((after - before).flatten(1), dim=1),
                "flipped": flipped,
                "success": flipped == 1,
            }
            for suffix, part in (("", after), ("_clean", before)):
                score = network.score(part)
                columns |= {f"score{suffix}": score, f"accepted{suffix}": network.decide(part, score)}
            values = {key: [None if v != v else v for v in column.tolist()] for key, column in columns.items()}
            rows += [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return rows


class AttackWriter(EachVolume):
    """Ignite handler that writes ``NAME_attacked.nii.gz`` and ``NAME_attack.csv`` for each volume.

    The attacked copy is float32 in the units and geometry of the input. The table (see :func:`measure_attack`, one row
    per slice, and whether it was attacked) is measured on the file, read and preprocessed again. Attach it where the
    output holds the perturbation twice, on the grid of the preprocessed image and on that of the input.

    Args:
        outputs: where the results lie.
        run_log: where to record a volume that could not be written.
        network: the guard to measure with.
        preprocessing: preprocessing of the inputs; it must scale intensities to [0, 1], from fixed ones or from
            percentiles.
        slice_dim: spatial axis of the preprocessed volume that counts the slices; 1 is coronal.
        image_key: name of the preprocessed image ``(1, X, Y, Z)``.
        perturbation_key: name of the perturbation of the preprocessed image, of the same shape.
        inverted_key: name of the perturbation on the grid of the input.

    Raises:
        InputError: if ``preprocessing`` has neither ``ScaleIntensityRangePercentilesd`` nor ``ScaleIntensityRanged``.
        OutputError: when the run starts, if the folder of the results cannot be made or written.
    """

    missing = "no attacked copy"

    def __init__(
        self,
        outputs: Outputs,
        run_log: RunLog,
        network: DefendedSegmenter,
        preprocessing: Compose,
        *,
        slice_dim: int,
        image_key: str = "image",
        perturbation_key: str = "pred",
        inverted_key: str = "perturbation",
    ) -> None:
        super().__init__(outputs, run_log, image_key)
        self.network = network
        self.preprocessing = preprocessing
        self.slice_dim = slice_dim
        self.perturbation_key = perturbation_key
        self.inverted_key = inverted_key
        kinds = (ScaleIntensityRangePercentilesd, ScaleIntensityRanged)
        scalers = [isinstance(t, kinds) for t in preprocessing.transforms]
        if not any(scalers):
            raise broken_rule(
                "preprocessing",
                "a ScaleIntensityRangePercentilesd or a ScaleIntensityRanged among the transforms",
                "none",
                "scale intensities to [0, 1] by one of them",
            )
        self._scaling = scalers.index(True)

    def write(self, source: str, output: dict[str, Any]) -> str:
        """Write and measure the attacked copy of a volume."""
        target = self.outputs.path(source, "attacked", ".nii.gz")
        rows = self._write_measured(source, output, target)
        attacked = [row for row in rows if row["attacked"]]
        rejected = sum(not row["accepted"] for row in attacked)
        return f"{target}: {len(attacked)} slices attacked, {rejected} of them rejected"

    def _write_measured(self, source: str, output: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        """Write the attacked copy and its table; the rows of the table."""
        table = self.outputs.path(source, "attack", ".csv")
        # Both get their names at the end, the copy first: what was not measured must not look finished.
        with atomic_path(table) as measurements, atomic_path(target) as copy:
            self._write(source, output[self.inverted_key], copy)
            rows = self._measure(output[self.image_key], output[self.perturbation_key], copy)
            measurements.write_text(_csv(rows), encoding="utf-8", newline="")
            self.outputs.remove(table)
        return rows

    def _write(self, source: str, perturbation: Any, copy: Path) -> None:
        """Write the attacked copy."""
        # What writes around this would take an error of reading for one of its own.
        try:
            low, high, background = self._range_of(source)
            original = np.asarray(nib.load(source).get_fdata(dtype=np.float32))  # type: ignore[attr-defined]
        except (OSError, RuntimeError) as error:
            remedy = "keep inputs where they are while a run goes on"
            raise broken_rule(source, "to be read once more", reason(first_cause(error)), remedy) from error
        original = original.reshape(original.shape[:3])
        added = torch.as_tensor(perturbation)[0].cpu()
        attacked = to_input_units(torch.from_numpy(original), added, low, high, background=background)
        write_like(attacked.numpy(), source, copy, "float32")

    def _range_of(self, source: str) -> tuple[float, float, float]:
        """Intensities of an input that become 0 and 1, and that of its background."""
        scaler = self.preprocessing.transforms[self._scaling].scaler
        if isinstance(scaler, ScaleIntensityRange):
            return scaler.a_min, scaler.a_max, scaler.a_min
        cropped = self.preprocessing({self.image_key: source}, end=self._scaling)[self.image_key].as_tensor()
        low, high = (float(percentile(cropped, q)) for q in (scaler.lower, scaler.upper))
        return low, high, 0.0

    def _measure(self, image: Any, perturbation: Any, copy: Path) -> list[dict[str, Any]]:
        """Rows of the slices of the file that was written."""
        clean = image.as_tensor()
        attacked = self.preprocessing({self.image_key: str(copy)})[self.image_key].as_tensor().to(clean)
        if attacked.shape != clean.shape:
            rule, found = "the same box around the brain as in the input", "slices of another size"
            raise broken_rule("attacked copy", rule, found, "nothing was written", error=OutputError)
        added = torch.as_tensor(perturbation)
        clean, attacked, added = (each.movedim(self.slice_dim + 1, 0) for each in (clean, attacked, added))
        touched = (added != 0).flatten(1).any(1).tolist()
        rows = measure_attack(self.network, clean, attacked)
        return [{"slice": i, "attacked": t, **row} for i, (t, row) in enumerate(zip(touched, rows, strict=True))]


def _csv(rows: list[dict[str, Any]]) -> str:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
