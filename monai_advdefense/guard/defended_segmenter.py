"""DefendedSegmenter: detector, reformer and segmenter as one network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from monai_advdefense.class_indices import label_type
from monai_advdefense.guard.decision import Decided, Decision, SpectralDecision, accepts
from monai_advdefense.guard.detector import ReconstructionDetector
from monai_advdefense.guard.divergence import divergence_score
from monai_advdefense.guard.mark_rejected import with_rejected
from monai_advdefense.messages import broken_rule

__all__ = ["DefendedSegmenter"]


class DefendedSegmenter(nn.Module):
    """A segmenter behind a guard; its last class is "rejected".

    The segmenter sees the reformed image. A sample that the guard rejects, or for which the segmenter gives a value
    that is not finite, is "rejected" everywhere; a blank one is background. See
    :func:`~monai_advdefense.guard.mark_rejected.with_rejected` for the logits.

    What decides is the submodule :attr:`decision`: the score of the detector alone (the spectral score), or its sum
    with the divergence between the predictions on the image and on the reformed image, both standardized, which costs
    one more pass through the segmenter. A forward hook on it sees score and decision of every sample.

    Gradients flow from the logits of accepted samples to the image through ``reformer``, and from :meth:`scores`,
    :meth:`score` and :meth:`excess`, but not through the decision.

    Args:
        detector: scores the image alone.
        reformer: from ``(B, in_channels, *spatial)`` to the same shape.
        segmenter: from ``(B, in_channels, *spatial)`` to logits ``(B, C, *spatial)``.
        decision: which score decides; None is a new :class:`~monai_advdefense.guard.SpectralDecision`.
        temperature: divides the logits that the divergence compares; a calibration holds for one temperature.

    Raises:
        InputError: ``temperature`` is not a positive, finite number.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020); the order detector, reformer, network: Meng, Chen, "MagNet" (CCS 2017), section 4; the divergence is
        that of its second detector.
    """

    __jit_unused_properties__ = ("decision", "threshold_key")

    def __init__(
        self,
        detector: ReconstructionDetector,
        reformer: nn.Module,
        segmenter: nn.Module,
        *,
        decision: Decision | None = None,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        if not (math.isfinite(temperature) and temperature > 0):
            raise broken_rule("temperature", "a positive, finite number", temperature, "1 is usual")
        self.detector = detector
        self.reformer = reformer
        self.segmenter = segmenter
        # The name that its numbers have in every checkpoint.
        self.combination = SpectralDecision() if decision is None else decision
        # TorchScript tells 1 from 1.0.
        self.temperature = float(temperature)

    @property
    def decision(self) -> Decision:
        """What decides; its class says by which score."""
        return self.combination

    @property
    def threshold_key(self) -> str:
        """Name of the threshold in use in the state dict."""
        return self.combination.threshold_key

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, C + 1, *spatial)`` of ``image`` ``(B, in_channels, *spatial)``."""
        logits = self.segmenter(self.reformer(image))
        decided = self._decided(image, logits)
        return with_rejected(logits, decided.accepted, decided.blank)

    def labels(self, image: Tensor) -> Tensor:
        """Return labels ``(B, *spatial)`` of ``image``, ``C`` for "rejected"; uint8, or int16 from 256 classes on.

        They are the largest of the logits that a call returns, without the time and memory that those take.
        """
        logits = self.segmenter(self.reformer(image))
        decided = self._decided(image, logits)
        axes = [-1] + [1] * (logits.dim() - 2)
        segmented = torch.where(decided.blank.view(axes), 0, logits.max(dim=1).indices)
        labels = torch.where(decided.accepted.view(axes), segmented, logits.shape[1])
        return labels.to(label_type(logits.shape[1] + 1))

    @property
    def threshold(self) -> Tensor:
        """Threshold of the score in use, a scalar; NaN is "not calibrated"."""
        return self.combination.in_use(self.detector.threshold)

    @torch.jit.export
    def scores(self, image: Tensor) -> Tensor:
        """Return the spectral and the divergence score ``(B, 2)`` of ``image``, not standardized. Differentiable."""
        return self._scores(image, None, True)

    @torch.jit.export
    def score(self, image: Tensor) -> Tensor:
        """Return the score in use ``(B,)`` of ``image``; higher is more suspicious. Differentiable."""
        return self.combination.combine(self._scores(image, None, self.combination.uses_divergence))

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
        return accepts(image, score, self.threshold)

    def _decided(self, image: Tensor, logits: Tensor) -> Decided:
        """Decide about each sample, given the ``logits`` of the reformed image."""
        scores = self._scores(image, logits, self.combination.uses_divergence)
        # A sum is not finite as soon as one logit is not: one pass, and no mask or copy of the size of the logits.
        # In half precision it would overflow.
        total = logits.sum(dim=list(range(1, logits.dim())), dtype=torch.promote_types(logits.dtype, torch.float32))
        decided: Decided = self.combination(image, scores, torch.isfinite(total), self.detector.threshold)
        return decided

    def _scores(self, image: Tensor, logits: Tensor | None, divergence: bool) -> Tensor:
        """Return the spectral score ``(B, 1)`` of ``image`` or, with the divergence, both ``(B, 2)``.

        ``logits`` are those of the reformed image, computed if they are None and needed.
        """
        spectral = self.detector.score(image)
        if not divergence:
            return spectral.unsqueeze(1)
        if logits is None:
            logits = self.segmenter(self.reformer(image))
        return torch.stack([spectral, divergence_score(self.segmenter(image), logits, image, self.temperature)], dim=1)
