"""What a guard accepts: the rule, and the decisions by one score or by several."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from monai_advdefense.guard.blank import is_blank

__all__ = ["CombinedDecision", "Decided", "Decision", "SpectralDecision", "accepts"]


def accepts(image: Tensor, score: Tensor, threshold: Tensor) -> Tensor:
    """Decide by a score against a threshold. Can be scripted.

    Accepted is what scores at or under the threshold, and what is blank. Nothing is accepted whose score or image is
    not finite, and nothing at all while the threshold is not.

    Args:
        image: ``(B, C, *spatial)``.
        score: score of each sample ``(B,)``, higher is more suspicious.
        threshold: scalar; NaN means "not calibrated".

    Returns:
        ``(B,)`` bool: accepted.

    Example:
        >>> image = torch.tensor([[[1.0]], [[1.0]], [[0.0]]])
        >>> accepts(image, torch.tensor([0.5, 2.0, 2.0]), torch.tensor(1.0))
        tensor([ True, False,  True])
    """
    # Asked of the image itself: a runtime that reads an export may lose a NaN on the way to the score.
    finite = torch.isfinite(image).flatten(1).all(dim=1)
    checked = finite & torch.isfinite(score) & torch.isfinite(threshold)
    return checked & (is_blank(image) | (score <= threshold))


class Decided(NamedTuple):
    """What was decided about each sample of a batch.

    Attributes:
        score: ``(B,)``, that in use; higher is more suspicious.
        accepted: ``(B,)`` bool; False is rejected.
        blank: ``(B,)`` bool, see :func:`~monai_advdefense.guard.blank.is_blank`.
    """

    score: Tensor
    accepted: Tensor
    blank: Tensor


class Decision(nn.Module):
    """Makes one score of those of a sample, and decides by it; the base of the two that follow.

    The numbers of the sum are float32 buffers, which travel in the state dict, TorchScript and ONNX: ``center`` and
    ``scale`` ``(2,)``, and the scalar ``threshold``. They are NaN until a calibration fills them. Every decision has
    them, so weights fit each.

    Attributes:
        name: of the score in use.
        threshold_key: name of the threshold in use in the state dict of a guard.
        uses_divergence: whether the divergence score is needed, which costs one more pass of the segmenter.
    """

    __constants__ = ("uses_divergence",)
    name = ""
    threshold_key = ""
    uses_divergence = False

    def __init__(self) -> None:
        super().__init__()
        self.center = nn.Buffer(torch.full((2,), float("nan"), dtype=torch.float32))
        self.scale = nn.Buffer(torch.full((2,), float("nan"), dtype=torch.float32))
        self.threshold = nn.Buffer(torch.tensor(float("nan"), dtype=torch.float32))

    def forward(self, image: Tensor, scores: Tensor, usable: Tensor, detector_threshold: Tensor) -> Decided:
        """Decide about each sample. A forward hook sees all that a guard decides.

        Args:
            image: ``(B, C, *spatial)``.
            scores: ``(B, S)``, the spectral score and, if it is needed, the divergence.
            usable: ``(B,)`` bool: the segmentation is finite; what is not is rejected.
            detector_threshold: threshold of the detector, a scalar.
        """
        score = self.combine(scores)
        accepted = usable & accepts(image, score, self.in_use(detector_threshold))
        return Decided(score, accepted, is_blank(image))

    @torch.jit.export
    def combine(self, scores: Tensor) -> Tensor:
        """Return the score in use ``(B,)``, of the scores ``(B, S)``."""
        raise NotImplementedError

    @torch.jit.export
    def in_use(self, detector_threshold: Tensor) -> Tensor:
        """Return the threshold in use, a scalar, given that of the detector."""
        raise NotImplementedError


class SpectralDecision(Decision):
    """Decides by the detector's score against the detector's threshold, as the paper does.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020).

    Example:
        >>> image, scores, usable = torch.ones(2, 1, 4, 4), torch.tensor([[0.5], [2.0]]), torch.tensor([True, True])
        >>> SpectralDecision()(image, scores, usable, torch.tensor(1.0)).accepted
        tensor([ True, False])
    """

    name = "spectral"
    threshold_key = "detector.threshold"

    def combine(self, scores: Tensor) -> Tensor:
        """Return the first of the scores ``(B, S)``."""
        return scores[:, 0]

    def in_use(self, detector_threshold: Tensor) -> Tensor:
        """Return that of the detector, a scalar."""
        return detector_threshold


class CombinedDecision(Decision):
    """Decides by the sum of both scores, each standardized by its mean and standard deviation over clean images.

    Example:
        >>> decision = CombinedDecision()
        >>> decision.center.copy_(torch.tensor([2.0, 0.1])), decision.scale.copy_(torch.tensor([0.5, 0.2]))
        (tensor([2.0000, 0.1000]), tensor([0.5000, 0.2000]))
        >>> decision.combine(torch.tensor([[3.0, 0.3]]))
        tensor([3.])
    """

    name = "combined"
    threshold_key = "combination.threshold"
    uses_divergence = True

    def combine(self, scores: Tensor) -> Tensor:
        """Return the sums ``(B,)`` of the standardized scores ``(B, 2)``."""
        return ((scores - self.center) / self.scale).sum(dim=1)

    def in_use(self, detector_threshold: Tensor) -> Tensor:
        """Return that of the sum, a scalar."""
        return self.threshold
