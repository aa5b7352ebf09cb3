"""What clean volumes are like, and how Dice is predicted, as buffers that travel in a flat state dict."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.guard.predicted_dice import DicePredictor
from monai_advdefense.guard.verdict import VolumeReference

__all__ = ["MOST_SUBJECTS", "StoredDicePredictor", "StoredReference"]

MOST_SUBJECTS = 1000
"""Room for so many in the state dict of a screen."""

_FEATURES = 5


class StoredReference(nn.Module):
    """A :class:`~monai_advdefense.guard.verdict.VolumeReference`; until :meth:`store` fills it, it holds none.

    Args:
        scores: names of the scores.
        causes: what each of them speaks of.
    """

    def __init__(self, scores: tuple[str, ...], causes: tuple[str, ...]) -> None:
        super().__init__()
        self.scores, self.causes = scores, causes
        # Three statistics of each score and of the largest, and the share of rejected slices.
        statistics = 3 * (len(scores) + 1) + 1
        self.expected_rate = nn.Buffer(torch.zeros((), dtype=torch.float64))
        self.rate = nn.Buffer(torch.zeros((), dtype=torch.float64))
        self.center = nn.Buffer(torch.zeros(statistics, dtype=torch.float64))
        self.scale = nn.Buffer(torch.ones(statistics, dtype=torch.float64))
        # A state dict has one size: the first ``count`` numbers count.
        self.subjects = nn.Buffer(torch.zeros(MOST_SUBJECTS, dtype=torch.float64))
        self.count = nn.Buffer(torch.tensor(0))

    def store(self, reference: VolumeReference) -> None:
        """Keep a reference of at most :data:`MOST_SUBJECTS` subjects."""
        subjects = torch.tensor(reference.subjects, dtype=torch.float64)
        self.subjects.zero_()
        self.subjects[: len(subjects)] = subjects
        self.count.fill_(len(subjects))
        for name in ("expected_rate", "rate", "center", "scale"):
            getattr(self, name).copy_(torch.tensor(getattr(reference, name), dtype=torch.float64))

    def reference(self) -> VolumeReference | None:
        """What was stored; None before."""
        count = int(self.count)
        if not count:
            return None
        return VolumeReference(
            self.scores,
            self.causes,
            float(self.expected_rate),
            tuple(self.center.tolist()),
            tuple(self.scale.tolist()),
            tuple(self.subjects[:count].tolist()),
            float(self.rate),
        )


class StoredDicePredictor(nn.Module):
    """A :class:`~monai_advdefense.guard.predicted_dice.DicePredictor`; until :meth:`store` fills it, it holds none.

    Args:
        num_classes: number of classes, background included.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        sizes = {"center": _FEATURES, "scale": _FEATURES, "intercept": num_classes - 1, "slope": _FEATURES}
        for name, size in {**sizes, "structure_error": 2, "volume_error": 2}.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))
        self.fitted = nn.Buffer(torch.tensor(0))

    def store(self, predictor: DicePredictor) -> None:
        """Keep a predictor."""
        for name, buffer in self.named_buffers():
            if name != "fitted":
                buffer.copy_(torch.as_tensor(getattr(predictor, name), dtype=torch.float64))
        self.fitted.fill_(1)

    def predictor(self) -> DicePredictor | None:
        """What was stored; None before."""
        if not int(self.fitted):
            return None
        values: dict[str, Tensor] = dict(self.named_buffers())
        center, scale, intercept, slope = (
            values[name].cpu().numpy() for name in ("center", "scale", "intercept", "slope")
        )
        (below, above), (lower, upper) = (values[name].tolist() for name in ("structure_error", "volume_error"))
        return DicePredictor(center, scale, intercept, slope, (below, above), (lower, upper))
