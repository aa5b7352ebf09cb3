"""What the guard found in one volume."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from monai_advdefense.guard.causes import cause_in_words
from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.guard.screen import Screened
from monai_advdefense.guard.verdict import VolumeVerdict
from monai_advdefense.report.provenance import Provenance

__all__ = ["FOREIGN", "Case", "Decision", "SliceRecord", "Verdict", "case_from_scores", "slice_positions"]

FOREIGN = "if your clean volumes look so too, these images are foreign to the guard: calibrate"

Decision = Literal["accepted", "rejected", "blank", "not_judged", "not_checked"]
Verdict = Literal["clean", "review", "reject", "not_checked"]


@dataclass(frozen=True)
class SliceRecord:
    """Score and decision of one slice.

    Attributes:
        index: number of the slice in the preprocessed volume, from 0.
        position_mm: world coordinate of the slice's center along the world axis nearest to the slice axis, in mm.
        input_index: voxel index of the slice's center along the input's axis, from 0; None if it is not known.
        score: the detector's score; not finite if it could not be computed.
        decision: a slice is ``not_checked`` if the threshold or its score is not finite; ``blank`` ones and those that
            are ``not_judged``, which show too little tissue, are never counted.
        spoke: name of the score that rejected the slice; empty if it was not rejected, or there is one score alone.
        cause: its likely cause, one of :data:`~monai_advdefense.guard.causes.CAUSES`, or empty.
    """

    index: int
    position_mm: float
    input_index: int | None
    score: float
    decision: Decision
    spoke: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Case:
    """Scores and decisions of one volume.

    Attributes:
        input_path: the volume that was checked.
        segmentation_path: where its segmentation is written.
        threshold: highest score that is accepted; not finite if the guard is not calibrated.
        slices: all slices in order.
        position_axis: world axis of the slices' ``position_mm``: ``"x"``, ``"y"`` or ``"z"``.
        provenance: programs and weights that made the result.
        created: time of the run, ISO 8601 in UTC.
        found: what a screen says of the volume; None without a screen.
        dice: predicted Dice; None if it is not predicted.
    """

    input_path: str
    segmentation_path: str
    threshold: float
    slices: tuple[SliceRecord, ...]
    position_axis: str = "y"
    provenance: Provenance = field(default_factory=Provenance)
    created: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    found: VolumeVerdict | None = None
    dice: PredictedDice | None = None

    def count(self, decision: Decision) -> int:
        """Number of slices with this decision."""
        return sum(record.decision == decision for record in self.slices)

    @property
    def checked(self) -> int:
        """Number of slices that were compared with the threshold; not those that are blank or not judged."""
        return self.count("accepted") + self.count("rejected")

    @property
    def judged(self) -> tuple[SliceRecord, ...]:
        """The slices that count: neither blank ones nor those that show too little tissue."""
        return tuple(record for record in self.slices if record.decision not in ("blank", "not_judged"))

    @property
    def verdict(self) -> Verdict:
        """That of the screen. Without one the volume is compared with no others.

        Then it is to be looked at as soon as one slice is rejected, and ``clean`` only if there was something to check,
        and all of it could be checked.
        """
        if self.found is not None:
            return cast(Verdict, self.found.verdict)
        if self.count("rejected"):
            return "review"
        if self.count("not_checked") or not self.checked or not math.isfinite(self.threshold):
            return "not_checked"
        return "clean"

    @property
    def headline(self) -> str:
        """The verdict in one plain sentence."""
        if self.found is not None:
            return _found_headline(self.found)
        if self.verdict == "clean":
            return "The only slice was accepted" if self.checked == 1 else f"All {self.checked} slices were accepted"
        unchecked = self.count("not_checked")
        if self.verdict == "review":
            counts = f"{self.count('rejected')} of {_slices(self.checked)} {_were(self.count('rejected'))} rejected"
            return f"{counts}, {unchecked} more could not be checked" if unchecked else counts
        if not self.checked:
            return "This volume was not checked"
        return f"{unchecked} of {_slices(self.checked + unchecked)} could not be checked"

    @property
    def line(self) -> str:
        """The verdict in one line of a terminal, with what to do where most of the volume is rejected."""
        advice = f"; {FOREIGN}" if self.looks_foreign else ""
        if self.found is None:
            return f"{self.verdict}, {self.headline[0].lower()}{self.headline[1:]}{advice}"
        if self.verdict == "not_checked":
            return f"not_checked, {self.found.explanation}"
        verdict = f"{self.verdict}, {cause_in_words(self.found.cause)}" if self.found.cause else self.verdict
        return f"{verdict}, {_counted(self.found)}{advice}"

    @property
    def looks_foreign(self) -> bool:
        """Whether more than half of the slices are rejected, as where a guard was fitted on other images."""
        return 2 * self.count("rejected") > self.checked

    def most_suspicious(self, number: int) -> tuple[SliceRecord, ...]:
        """The slices to look at first: not finite scores, then the highest; never blank ones or those not judged.

        Where no slice has a finite score they are spread over the volume.
        """
        shown = list(self.judged)
        if not any(math.isfinite(record.score) for record in shown):
            wanted = min(number, len(shown))
            return tuple(shown[(2 * part + 1) * len(shown) // (2 * wanted)] for part in range(wanted))
        shown.sort(key=lambda record: -record.score if math.isfinite(record.score) else -math.inf)
        return tuple(shown[:number])


def case_from_scores(
    scores: Tensor,
    accepted: Tensor,
    blank: Tensor,
    *,
    threshold: float,
    positions: Sequence[tuple[float, int | None]],
    input_path: str,
    segmentation_path: str,
    position_axis: str = "y",
    provenance: Provenance | None = None,
    screened: Screened | None = None,
) -> Case:
    """Gather what the detector said about every slice.

    Args:
        scores: ``(N,)`` scores.
        accepted: ``(N,)`` decisions of the detector.
        blank: ``(N,)`` whether a slice is blank.
        threshold: the detector's threshold.
        positions: position in mm and input index of every slice, see :func:`slice_positions`.
        input_path: the volume that was checked.
        segmentation_path: where its segmentation is written.
        position_axis: world axis of the positions.
        provenance: programs and weights that made the result.
        screened: what a screen found, if one decided.

    Returns:
        The case; scores and threshold rounded to 9 significant digits, which keeps every float32 distinct.

    Example:
        >>> from torch import tensor
        >>> case = case_from_scores(
        ...     tensor([0.5, 2.0]), tensor([True, False]), tensor([False, False]), threshold=1.0,
        ...     positions=[(0.0, 0), (1.0, 1)], input_path="scan.nii.gz", segmentation_path="scan_seg.nii.gz",
        ... )
        >>> case.headline
        '1 of 2 slices was rejected'
    """
    nothing = [""] * len(scores)
    judged = [True] * len(scores) if screened is None else screened.judged.tolist()
    spoke, causes = (nothing, nothing) if screened is None else (screened.spoke, screened.causes)
    columns = zip(positions, scores.tolist(), accepted.tolist(), blank.tolist(), judged, spoke, causes, strict=True)
    records = [
        SliceRecord(index, mm, voxel, _rounded(score), _decision(score, threshold, kept, empty, enough), why, cause)
        for index, ((mm, voxel), score, kept, empty, enough, why, cause) in enumerate(columns)
    ]
    return Case(
        input_path=input_path,
        segmentation_path=segmentation_path,
        threshold=_rounded(threshold),
        slices=tuple(records),
        position_axis=position_axis,
        provenance=provenance or Provenance(),
        found=None if screened is None else screened.verdict,
        dice=None if screened is None else screened.dice,
    )


def slice_positions(
    affine: NDArray[np.float64],
    spatial_shape: Sequence[int],
    slice_dim: int,
    input_affine: NDArray[np.float64] | None = None,
) -> tuple[str, list[tuple[float, int | None]]]:
    """Where the slices of a volume lie in the world and in the input's voxel grid.

    Args:
        affine: ``(4, 4)`` affine of the preprocessed volume, voxels to mm in RAS+ world coordinates.
        spatial_shape: its shape.
        slice_dim: its axis that counts the slices.
        input_affine: affine of the input as it lies on disk.

    Returns:
        The world axis nearest to the slice axis, and for the center of every slice its coordinate along that axis in
        mm and the nearest voxel index along the input's own slice axis (None without ``input_affine``).
    """
    centers = np.ones((spatial_shape[slice_dim], 4))
    centers[:, :3] = (np.asarray(spatial_shape) - 1) / 2
    centers[:, slice_dim] = np.arange(spatial_shape[slice_dim])
    world = centers @ np.asarray(affine).T
    world_axis = int(np.abs(np.asarray(affine)[:3, slice_dim]).argmax())
    millimeters = world[:, world_axis].round(3).tolist()
    if input_affine is None:
        return "xyz"[world_axis], [(position, None) for position in millimeters]
    # By direction alone: along thick slices the same way is fewer voxels.
    directions = input_affine[:3, :3] / np.linalg.norm(input_affine[:3, :3], axis=0)
    input_axis = int(np.abs(directions.T @ np.asarray(affine)[:3, slice_dim]).argmax())
    indices = np.rint((world @ np.linalg.inv(input_affine).T)[:, input_axis]).astype(int).tolist()
    return "xyz"[world_axis], list(zip(millimeters, indices, strict=True))


def _decision(score: float, threshold: float, accepted: bool, blank: bool, judged: bool) -> Decision:
    if not (math.isfinite(score) and math.isfinite(threshold)):
        return "not_checked"
    if not accepted:
        return "rejected"
    if blank:
        return "blank"
    return "accepted" if judged else "not_judged"


def _found_headline(found: VolumeVerdict) -> str:
    if found.verdict == "clean":
        return f"Clean: {_counted(found)}"
    if found.verdict == "not_checked":
        return "This volume could not be checked"
    return f"{'Look at it' if found.verdict == 'review' else 'Do not use it'}: {cause_in_words(found.cause)}"


def _counted(found: VolumeVerdict) -> str:
    return f"{found.rejected} of {_slices(found.judged)} rejected ({found.expected_rejected:.1f} expected)"


def _rounded(value: float) -> float:
    return float(f"{value:.9g}")


def _slices(number: int) -> str:
    return "1 slice" if number == 1 else f"{number} slices"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
