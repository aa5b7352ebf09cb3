"""DefendedSegmenter: detector, reformer and segmenter as one network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.networks.reconstruction_detector import ReconstructionDetector

__all__ = ["DefendedSegmenter"]


class DefendedSegmenter(nn.Module):
    """A segmenter behind a guard; its last class is "rejected".

    Logits per sample, ``C`` classes and the class "rejected":

    - accepted: the segmenter's logits of the reformed image; "rejected" is the smallest of them less 1;
    - accepted and blank (no voxel above 0): 1 for class 0, the background, 0 for the others, -1 for "rejected";
    - rejected, or the segmenter gives a value that is not finite: 0 for the classes, 1 for "rejected", everywhere.

    Gradients flow from the logits of accepted samples to the image through ``reformer``, and from
    ``detector.score``, but not through the decision.

    Args:
        detector: decides which samples are accepted.
        reformer: from ``(B, in_channels, *spatial)`` to the same shape.
        segmenter: from ``(B, in_channels, *spatial)`` to logits ``(B, C, *spatial)``.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020); the order detector, reformer, network: Meng, Chen, "MagNet" (CCS 2017), section 4.
    """

    def __init__(self, detector: ReconstructionDetector, reformer: nn.Module, segmenter: nn.Module) -> None:
        super().__init__()
        self.detector = detector
        self.reformer = reformer
        self.segmenter = segmenter

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, C + 1, *spatial)`` of ``image`` ``(B, in_channels, *spatial)``."""
        # The module is called, not a method, so that a forward hook on ``detector`` sees every residual.
        score = self.detector.residual_score(self.detector(image))
        logits = self.segmenter(self.reformer(image))
        # A sum is not finite as soon as one logit is not: one pass, and no mask of the size of the logits.
        accepted = self.detector.decide(image, score) & torch.isfinite(logits.flatten(1).sum(dim=1))
        segmented = accepted & torch.logical_not(self.detector.is_blank(image))

        zeros = torch.zeros_like(logits.flatten(2)[:1, :, 0])
        one = torch.ones_like(zeros[:, :1])
        background = torch.cat([one, zeros[:, 1:], -one], dim=1)
        rejection = torch.cat([zeros, one], dim=1)
        constant = torch.where(accepted.unsqueeze(1), background, rejection)

        axes = [1] * (logits.dim() - 2)
        guarded = torch.cat([logits, logits.amin(dim=1, keepdim=True) - 1.0], dim=1)
        return torch.where(
            segmented.reshape([-1, 1] + axes), guarded, constant.reshape([-1, logits.shape[1] + 1] + axes)
        )
