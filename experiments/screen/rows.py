"""One row of quantities for each condition, with intervals over subjects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from experiments.screen.conditions import causes_of
from experiments.screen.examined import Examined
from experiments.tables import Row, quantity_columns
from monai_advdefense.guard.screen import Screened
from monai_advdefense.metrics import Resampled, SubjectResampling, dice_from_counts

__all__ = ["Found", "clean_row", "found_row"]

DROP = 0.1
"""A Dice that falls by more is bad."""
SHOWN_PIXELS = 50
"""A structure of fewer true pixels is not counted by itself."""


@dataclass(frozen=True)
class Found:
    """What a screen said of one spoilt volume.

    Attributes:
        subject: whose it is.
        clean: what it said of the clean volume, all slices.
        clean_numbers: those it was said of.
        spoilt: what it said of the spoilt one.
        numbers: the slices that were spoilt.
        among_clean: ``spoilt`` is of all slices of the volume; else of those of ``numbers`` alone.
        structure: the structure to erase in each spoilt slice, if the attack goes for one.
    """

    subject: str
    clean: Screened
    clean_numbers: Examined
    spoilt: Screened
    numbers: Examined
    among_clean: bool
    structure: Tensor | None = None

    def slices(self) -> dict[str, Tensor]:
        """Of each changed slice: scores before and after, whether rejected, bad, accepted and bad.

        Accepted and bad also as the share of its structures.
        """
        changed, place = self.numbers.changed, self.numbers.index
        own = place if self.among_clean else torch.arange(len(place))
        judged = self.spoilt.judged[own]
        accepted, accepted_before = self.spoilt.accepted[own], self.clean.accepted[place]
        before = self._dice(self.clean_numbers.plain[place])
        bad = before - self._dice(self.numbers.reformed) > DROP
        base = before - self._dice(self.clean_numbers.reformed[place]) > DROP
        columns = {
            "judged": judged,
            "clean_score": self.clean.score[place],
            "score": self.spoilt.score[own],
            "rejected": ~accepted,
            "bad": bad,
            "accepted_and_bad": accepted & bad,
            "base_rate": accepted_before & base,
            "structures_accepted_and_bad": accepted * self._lost(self.numbers.reformed, place),
            "structures_base_rate": accepted_before * self._lost(self.clean_numbers.reformed[place], place),
        }
        return {name: values[changed] for name, values in columns.items()}

    def causes(self) -> list[str]:
        """Causes of the changed slices that were judged and rejected."""
        own = self.numbers.index if self.among_clean else torch.arange(len(self.numbers.index))
        kept = (self.spoilt.judged & ~self.spoilt.accepted)[own] & self.numbers.changed
        return [self.spoilt.causes[place] for place in own[kept].tolist()]

    def _lost(self, counts: Tensor, place: Tensor) -> Tensor:
        """Share of the structures of each slice whose own Dice is bad; NaN where none is shown."""
        before = self.clean_numbers.plain[place]
        lost = (dice_from_counts(before) - dice_from_counts(counts) > DROP).double()
        return torch.where(before[..., 2] >= SHOWN_PIXELS, lost, torch.nan)[:, 1:].nanmean(dim=1)

    def _dice(self, counts: Tensor) -> Tensor:
        """Of each slice: mean over its structures, or that of the structure to erase."""
        dice = dice_from_counts(counts)
        if self.structure is not None:
            return dice.gather(1, self.structure[:, None])[:, 0].nan_to_num(nan=1.0)
        return dice[:, 1:].nanmean(dim=1).nan_to_num(nan=1.0)


def clean_row(clean: Sequence[Screened], numbers: Sequence[Examined], subjects: Sequence[str], resamples: int) -> Row:
    """False alarms, mean over the slices of a volume, then over volumes; Dice of volumes, mean over structures."""
    shares = np.array([float((~found.accepted)[found.judged].double().mean()) for found in clean])
    passed = [item.reformed[found.accepted] for item, found in zip(numbers, clean, strict=True)]
    over = SubjectResampling(subjects, resamples=resamples)
    means = {
        "rejected": over.mean(shares),
        "dice_alone": over.mean(_volume_dice([item.plain for item in numbers])),
        "dice_accepted": over.mean(_volume_dice(passed)),
    }
    return {
        "slices": sum(int(found.judged.sum()) for found in clean),
        "not_judged": sum(int((~found.judged & ~found.blank).sum()) for found in clean),
        "worst_volume": float(shares.max()),
        **quantity_columns(means, dropped=False),
        **_volumes(clean, subjects, (), resamples),
    }


def _volume_dice(counts: Sequence[Tensor]) -> npt.NDArray[np.float64]:
    return np.array([float(dice_from_counts(each.sum(dim=0))[1:].nanmean()) for each in counts])


def found_row(name: str, found: Sequence[Found], resamples: int, *, comparable: bool) -> Row:
    """What was found of a condition.

    Args:
        name: of the condition.
        found: one of each volume.
        resamples: number of bootstrap resamples.
        comparable: whether the labels still fit the images, so that there is a Dice.
    """
    parts = [item.slices() for item in found]
    columns = {name: torch.cat([part[name] for part in parts]).numpy() for name in parts[0]}
    subjects = np.repeat([item.subject for item in found], [len(part["judged"]) for part in parts])
    everything = SubjectResampling(subjects, resamples=resamples)
    judged = columns["judged"]
    named, right = [item.causes() for item in found], causes_of(name)
    quantities: dict[str, Resampled] = {
        "rejected": everything.mean(np.where(judged, columns["rejected"], np.nan)),
        "auc": SubjectResampling(subjects[judged], resamples=resamples).roc_auc(
            columns["clean_score"][judged], columns["score"][judged]
        ),
    }
    if right and any(named):
        owners = np.repeat([item.subject for item in found], list(map(len, named)))
        hits = np.array([float(cause in right) for causes in named for cause in causes])
        quantities["cause_right"] = SubjectResampling(owners, resamples=resamples).mean(hits)
    if comparable:
        names = ["accepted_and_bad", "base_rate", "structures_accepted_and_bad", "structures_base_rate"]
        # What was not predicted is not accepted; whether it is bad is not known.
        if all(bool((item.numbers.predicted | item.numbers.blank).all()) for item in found):
            names.append("bad")
        quantities |= {column: everything.mean(columns[column].astype(float)) for column in names}
    return {
        "slices": len(judged),
        "not_judged": int((~judged).sum()),
        **quantity_columns(quantities, dropped=False),
        "causes": _counted(cause for causes in named for cause in causes),
        **_volumes([item.spoilt for item in found], [item.subject for item in found], right, resamples),
    }


def _volumes(screened: Sequence[Screened], subjects: Sequence[str], right: Sequence[str], resamples: int) -> Row:
    verdicts = [item.verdict for item in screened]
    over = SubjectResampling(subjects, resamples=resamples)
    caught = np.array([verdict.verdict != "clean" for verdict in verdicts], float)
    quantities = {"volumes_not_clean": over.mean(caught)}
    low = [float(verdict.verdict == "clean" or verdict.cause == "smooth") for verdict in verdicts]
    quantities["clean_or_low_resolution"] = over.mean(np.array(low))
    if right and caught.any():
        named = np.array([float(verdict.cause in right) for verdict in verdicts])
        quantities["volume_cause_right"] = over.mean(np.where(caught > 0, named, np.nan))
    return {
        "volumes": len(verdicts),
        "subjects": len(set(subjects)),
        **quantity_columns(quantities, dropped=False),
        "verdicts": _counted(verdict.verdict for verdict in verdicts),
        "volume_causes": _counted(verdict.cause for verdict in verdicts if verdict.cause),
    }


def _counted(words: Iterable[str]) -> str:
    counts = Counter(words)
    return "; ".join(f"{word} {count}" for word, count in sorted(counts.items(), key=lambda item: -item[1]))
