"""Typicality: how far each slice of a volume lies from clean slices, by several scores and by likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from monai_advdefense.guard.scores.foreground import slice_position
from monai_advdefense.guard.scores.linear_discriminant import LinearDiscriminant
from monai_advdefense.guard.scores.mahalanobis import Mahalanobis, compressed
from monai_advdefense.guard.scores.slice_features import FEATURES, feature_counts, slice_features
from monai_advdefense.guard.scores.standardization import Standardization
from monai_advdefense.guard.scores.synthetic_faults import FAULT_CAUSES, SYNTHETIC_FAULTS

__all__ = ["FAULTS", "SCORES", "SEEN_FAULTS", "TYPICALITY_CAUSES", "SliceScores", "Typicality"]

FAULTS = (*SYNTHETIC_FAULTS, "ahead", "behind")
"""Synthetic faults that are told apart; the last two are slices from another place of the volume."""

SEEN_FAULTS = ("bright", "dark", "motion", "field", "flipped", "cut", "ahead", "behind")
"""Those of them whose log odds are scores: the others are plain to the distances."""

SCORES = (
    *("spectrum", "texture", "histogram", "bias", "coarse"),
    *("neighbour_histogram", "neighbour_texture", "faint_noise"),
    *SEEN_FAULTS,
)
"""Names of the scores: distances of one kind of numbers, jumps between neighbours, log odds of synthetic faults."""

TYPICALITY_CAUSES = ("fine_pattern", "smooth", "intensity", "ghosting", "bias_field", "anatomy", "foreign")
"""Causes that the scores can speak of, of :data:`monai_advdefense.guard.causes.CAUSES`."""

DISTANCES = ("spectrum", "texture", "histogram", "bias", "coarse")
NOISE_FEATURES = ("windowed", "texture")
# Slices on each side whose median a slice is compared with.
REACH = 3
# Scale of the coarse image's numbers that anatomy varies by anyhow, in units of the image.
COARSE_SCALE = 0.03
# Log odds of every fault under which a slice is foreign.
LEAST_ODDS = -3.0
# So is one whose second likeliest cause has at least this share of the log odds of the likeliest, if these are
# positive: below even odds no cause explains the slice, and the bound above says how little is too little. One of
# another brightness is not foreign, since it resembles ghosts anyhow.
ALIKE = 0.7
INTENSITY = TYPICALITY_CAUSES.index("intensity")


@dataclass(frozen=True)
class SliceScores:
    """Scores of the slices of one volume.

    Attributes:
        scores: z values ``(S, K)`` of :data:`SCORES`; those of slices that are not judged are 0, and NaN where a pixel
            is not finite.
        by_cause: ``(S, 7)`` for :data:`TYPICALITY_CAUSES`: the largest score under the likeliest cause, less under each
            other one by as much as its log odds are lower. The largest of a row is the largest score.
        judged: ``(S,)`` bool: enough of the object is seen.
        rejected: ``(S,)`` bool: judged, and the largest score is above the threshold; or a score is not finite.
    """

    scores: Tensor
    by_cause: Tensor
    judged: Tensor
    rejected: Tensor


class Typicality(nn.Module):
    """Compares each slice of a volume with clean slices at its position; fitted by :func:`fit_typicality`.

    All numbers are float32 buffers, NaN until a calibration fills them; till then every slice is rejected.

    Args:
        channels: channels of the image.
        covariates: further numbers of each slice, see :class:`~.scores.standardization.Standardization`.
    """

    def __init__(self, channels: int = 1, covariates: int = 0) -> None:
        super().__init__()
        self.channels = channels
        counts = feature_counts(channels)
        scales = {"coarse": COARSE_SCALE}
        self.standardizations = nn.ModuleDict(
            {name: Standardization(counts[name], covariates, scales.get(name, 0.0)) for name in FEATURES}
        )
        self.distances = nn.ModuleDict({name: Mahalanobis(counts[name]) for name in DISTANCES})
        self.noise = LinearDiscriminant(sum(counts[name] for name in NOISE_FEATURES), 1)
        self.jumps = nn.ModuleDict({name: Mahalanobis(counts[name]) for name in ("histogram", "texture")})
        self.faults = LinearDiscriminant(sum(counts.values()), len(FAULTS))
        self.calibration = Standardization(len(SCORES), covariates)
        self.tail = nn.Buffer(torch.full((len(SCORES),), float("nan")))
        self.threshold = nn.Buffer(torch.tensor(float("nan")))
        self.smallest_area = nn.Buffer(torch.tensor(float("nan")))

    def forward(
        self, image: Tensor, covariates: Tensor | None = None, *, position: Tensor | None = None
    ) -> SliceScores:
        """Score all slices of one volume, or some of which the position is known.

        Args:
            image: the slices of one volume in their order ``(S, C, H, W)``, in [0, 1].
            covariates: ``(covariates,)``, the same for all slices.
            position: place of each slice in the object's extent ``(S,)`` in [0, 1], for slices that are not all of a
                volume: they are then not compared with their neighbours. None finds it.
        """
        parts = [slice_features(batch) for batch in image.split(8)]
        features = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        if position is not None:
            return self.score(features, position, covariates, neighbours=False)
        return self.score(features, slice_position(features["area"]), covariates)

    def score(
        self,
        features: Mapping[str, Tensor],
        position: Tensor,
        covariates: Tensor | None = None,
        *,
        neighbours: bool = True,
    ) -> SliceScores:
        """Score slices by their :func:`~.scores.slice_features.slice_features`; the rest as of :meth:`forward`.

        Args:
            features: numbers of the slices in their order.
            position: place of each slice in the object's extent ``(S,)`` in [0, 1].
            covariates: ``(covariates,)``.
            neighbours: slices that follow each other are neighbours; else the scores of jumps between them are 0.
        """
        judged = features["area"] >= self.smallest_area
        given = position.new_zeros(len(position), 0) if covariates is None else covariates.expand(len(position), -1)
        log_area = features["area"].clamp_min(1).log()
        z = self.standardized(features, position, log_area, given)
        scores = self.calibration(self.raw_scores(z, judged), position, log_area, given) / self.tail
        if not neighbours:
            kept = [not name.startswith("neighbour") for name in SCORES]
            scores = torch.where(torch.tensor(kept, device=scores.device), scores, 0.0)
        largest = scores.amax(dim=1)
        unknown = ~torch.isfinite(self.smallest_area + self.threshold)
        # What is not a number is no tissue to any comparison; the mean over a part of the image keeps it.
        none = 0.0 * features["coarse"].sum(dim=1, keepdim=True)
        scores = torch.where(judged[:, None], scores, none)
        rejected = unknown | ~torch.where(judged, largest <= self.threshold, torch.isfinite(none[:, 0]))
        return SliceScores(scores, self._by_cause(z, largest, judged), judged, rejected)

    def standardized(
        self, features: Mapping[str, Tensor], position: Tensor, log_area: Tensor, covariates: Tensor
    ) -> dict[str, Tensor]:
        """Compressed z values ``(N, F)`` of each kind of numbers."""
        return {
            name: compressed(standardization(features[name], position, log_area, covariates))
            for name, standardization in self.standardizations.items()
        }

    def raw_scores(self, z: Mapping[str, Tensor], judged: Tensor) -> Tensor:
        """The scores ``(S, K)`` before they are standardized by position."""
        columns = [distance(z[name]) for name, distance in self.distances.items()]
        columns += [jump(jumps(z[name], judged)) for name, jump in self.jumps.items()]
        columns.append(self.noise_odds(z))
        seen = [FAULTS.index(name) for name in SEEN_FAULTS]
        return torch.cat([torch.stack(columns, dim=1), self.fault_odds(z)[:, seen]], dim=1)

    def noise_odds(self, z: Mapping[str, Tensor]) -> Tensor:
        """Log odds of faint noise ``(S,)``."""
        odds: Tensor = self.noise(torch.cat([z[name] for name in NOISE_FEATURES], dim=1))[:, 0]
        return odds

    def fault_odds(self, z: Mapping[str, Tensor]) -> Tensor:
        """Log odds of each of :data:`FAULTS` ``(S, F)``."""
        odds: Tensor = self.faults(torch.cat([z[name] for name in FEATURES], dim=1))
        return odds

    def _by_cause(self, z: Mapping[str, Tensor], largest: Tensor, judged: Tensor) -> Tensor:
        odds = self.fault_odds(z)
        causes = [FAULT_CAUSES.get(fault, "anatomy") for fault in FAULTS]
        groups = [[row for row, cause in enumerate(causes) if cause == name] for name in TYPICALITY_CAUSES[:-1]]
        odds = torch.stack([odds[:, rows].amax(dim=1) for rows in groups], dim=1)
        fine = torch.maximum(odds[:, :1], self.noise_odds(z)[:, None])
        odds = torch.cat([fine, odds[:, 1:]], dim=1)
        # What resembles no fault, or faults of two causes nearly alike, is of a kind of its own.
        likeliest, rows = odds.topk(2, dim=1)
        alike = (likeliest[:, 1:] / ALIKE).masked_fill(rows[:, :1] == INTENSITY, LEAST_ODDS)
        odds = torch.cat([odds, alike.clamp_min(LEAST_ODDS)], dim=1)
        less = odds - odds.amax(dim=1, keepdim=True)
        return torch.where(judged[:, None], largest[:, None] + less, 0.0)


def jumps(z: Tensor, judged: Tensor) -> Tensor:
    """Difference ``(S, N)`` of each slice's numbers to the median of its judged neighbours, 3 on each side.

    0 for a slice without such neighbours, as for one that is not judged.
    """
    count = len(z)
    offsets = torch.tensor([offset for offset in range(-REACH, REACH + 1) if offset], device=z.device)
    places = torch.arange(count, device=z.device)[:, None] + offsets
    inside = (places >= 0) & (places < count)
    places = places.clamp(0, count - 1)
    beside = inside & judged[places]
    near = torch.where(beside[..., None], z[places], torch.nan).nanmedian(dim=1).values
    return torch.where((judged & beside.any(dim=1))[:, None], z - near.nan_to_num(), 0.0)
