"""DefendedSegmenter: detector, reformer and segmenter as one network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard.combined_score import CombinedScore
from monai_advdefense.guard.decision import is_blank
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.guard.divergence import divergence_score

__all__ = ["DefendedSegmenter"]


class DefendedSegmenter(nn.Module):
    """A segmenter behind a guard; its last class is "rejected".

    Logits per sample, ``C`` classes and the class "rejected":

    - accepted: the segmenter's logits of the reformed image; "rejected" is the smallest of them less 1;
    - accepted and blank (no voxel above 0): 1 for class 0, the background, 0 for the others, -1 for "rejected";
    - rejected, or the segmenter gives a value that is not finite: 0 for the classes, 1 for "rejected", everywhere.

    What decides is the score of the detector (the spectral score), or, with ``combine``, its sum with the divergence
    between the predictions on the image and on the reformed image, both standardized. That costs one more pass through
    the segmenter. The numbers of the sum are in the submodule ``combination``, a
    :class:`~monai_advdefense.guard.CombinedScore`, which is there in either case: weights fit both.

    Gradients flow from the logits of accepted samples to the image through ``reformer``, and from :meth:`scores`,
    :meth:`score` and :meth:`excess`, but not through the decision.

    Args:
        detector: scores the image alone, and decides which samples are accepted unless ``combine``.
        reformer: from ``(B, in_channels, *spatial)`` to the same shape.
        segmenter: from ``(B, in_channels, *spatial)`` to logits ``(B, C, *spatial)``.
        combine: decide by the sum of the spectral and the divergence score.
        temperature: divides the logits that the divergence compares; a calibration holds for one temperature.

    Raises:
        InputError: ``temperature`` is not a positive, finite number.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020); the order detector, reformer, network: Meng, Chen, "MagNet" (CCS 2017), section 4; the divergence is
        that of its second detector.
    """

    def __init__(
        self,
        detector: ReconstructionDetector,
        reformer: nn.Module,
        segmenter: nn.Module,
        *,
        combine: bool = False,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if not (math.isfinite(temperature) and temperature > 0):
            raise InputError(f"temperature must be a positive, finite number, found {temperature}: 1 is usual")
        self.detector = detector
        self.reformer = reformer
        self.segmenter = segmenter
        self.combination = CombinedScore()
        self.combine = combine
        # TorchScript tells 1 from 1.0.
        self.temperature = float(temperature)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, C + 1, *spatial)`` of ``image`` ``(B, in_channels, *spatial)``."""
        # Modules are called, not their methods, so that a forward hook on the one in use sees every score.
        score = self.detector.residual_score(self.detector(image))
        logits = self.segmenter(self.reformer(image))
        if self.combine:
            score = self.combination(score, self._divergence(image, logits))
        # A sum is not finite as soon as one logit is not: one pass, and no mask or copy of the size of the logits.
        # In half precision it would overflow.
        total = logits.sum(dim=list(range(1, logits.dim())), dtype=torch.promote_types(logits.dtype, torch.float32))
        accepted = self.decide(image, score) & torch.isfinite(total)
        segmented = accepted & torch.logical_not(is_blank(image))

        zeros = logits.new_zeros([1, logits.shape[1]])
        one = torch.ones_like(zeros[:, :1])
        background = torch.cat([one, zeros[:, 1:], -one], dim=1)
        rejection = torch.cat([zeros, one], dim=1)
        constant = torch.where(accepted.unsqueeze(1), background, rejection)

        axes = [1] * (logits.dim() - 2)
        # In one layout: joined with the last class, logits in channels-last take several times as long.
        logits = logits.contiguous()
        guarded = torch.cat([logits, logits.amin(dim=1, keepdim=True) - 1.0], dim=1)
        return torch.where(
            segmented.reshape([-1, 1] + axes), guarded, constant.reshape([-1, logits.shape[1] + 1] + axes)
        )

    @property
    def threshold(self) -> Tensor:
        """Threshold of the score in use, a scalar; NaN is "not calibrated"."""
        if self.combine:
            return self.combination.threshold
        return self.detector.threshold

    @torch.jit.export
    def scores(self, image: Tensor) -> Tensor:
        """Return the spectral and the divergence score ``(B, 2)`` of ``image``, not standardized. Differentiable."""
        divergence = self._divergence(image, self.segmenter(self.reformer(image)))
        return torch.stack([self.detector.score(image), divergence], dim=1)

    @torch.jit.export
    def score(self, image: Tensor) -> Tensor:
        """Return the score in use ``(B,)`` of ``image``; higher is more suspicious. Differentiable."""
        if self.combine:
            scores = self.scores(image)
            # A call of the module itself would run its hooks.
            return self.combination.forward(scores[:, 0], scores[:, 1])
        return self.detector.score(image)

    @torch.jit.export
    def excess(self, image: Tensor) -> Tensor:
        """Return ``(B,)`` how far the score of ``image`` lies above the threshold. Differentiable.

        What an attacker who knows the guard descends: at or under 0 the sample is accepted; blank ones are anyway.
        """
        return self.score(image) - self.threshold

    @torch.jit.export
    def decide(self, image: Tensor, score: Tensor) -> Tensor:
        """Return ``(B,)`` bool: accepted, given the score in use ``(B,)`` of ``image``.

        See :func:`~monai_advdefense.guard.decision.accepts` for the rule.
        """
        if self.combine:
            return self.combination.decide(image, score)
        return self.detector.decide(image, score)

    def _divergence(self, image: Tensor, logits: Tensor) -> Tensor:
        """Divergence score ``(B,)`` of the prediction on ``image`` from that on the reformed image, ``logits``."""
        return divergence_score(self.segmenter(image), logits, image, self.temperature)
