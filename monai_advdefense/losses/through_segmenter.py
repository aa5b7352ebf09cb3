"""Loss of a reformer by what a frozen segmenter makes of its output."""

from __future__ import annotations

from monai.losses import DiceCELoss
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from monai_advdefense.class_indices import class_indices
from monai_advdefense.messages import broken_rule

__all__ = ["ThroughSegmenterLoss"]


class ThroughSegmenterLoss(nn.Module):
    """Cross entropy and soft Dice of a segmenter behind a reformer, and the error of the reformed image.

    A reformer that is to undo attacks need not give back every gray value, but what the segmenter sees must mean the
    same. The segmenter is put into evaluation mode and its weights are not trained; the gradient passes through it.

    Args:
        segmenter: from images ``(B, C, *spatial)`` to logits ``(B, K, *spatial)``.
        reconstruction_weight: factor of the mean squared error between reformed and clean image.

    Source:
        Liao et al., "Defense against Adversarial Attacks Using High-Level Representation Guided Denoiser" (CVPR 2018),
        section 4.2, for segmentation; the noisy images of Salman et al., "Denoised Smoothing: A Provable Defense for
        Pretrained Classifiers" (NeurIPS 2020), section 3.

    Example:
        >>> import torch
        >>> loss = ThroughSegmenterLoss(nn.Conv2d(1, 2, 1), reconstruction_weight=1.0)
        >>> clean, label = torch.rand(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
        >>> loss(clean, torch.cat([clean, label], dim=1)).shape
        torch.Size([])
    """

    def __init__(self, segmenter: nn.Module, *, reconstruction_weight: float = 10.0) -> None:
        super().__init__()
        self.segmenter = segmenter.eval().requires_grad_(False)
        self.reconstruction_weight = reconstruction_weight
        self.segmentation_loss = DiceCELoss(softmax=True, to_onehot_y=True)

    def forward(self, reformed: Tensor, target: Tensor) -> Tensor:
        """Loss ``()`` of reformed images ``(B, C, *spatial)``.

        Args:
            reformed: output of the reformer.
            target: clean images and, in the last channel, class indices ``(B, C + 1, *spatial)``.

        Raises:
            InputError: ``target`` has other channels, or labels that are no class indices.
        """
        channels = reformed.shape[1]
        if target.shape != (reformed.shape[0], channels + 1, *reformed.shape[2:]):
            expected = f"clean images and labels, {channels} channels and one"
            raise broken_rule("target", expected, tuple(target.shape), "join clean image and label by ConcatItemsd")
        clean, label = target.split([channels, 1], dim=1)
        classes = class_indices("target: label", label)
        segmentation: Tensor = self.segmentation_loss(self.segmenter(reformed), classes)
        return segmentation + self.reconstruction_weight * mse_loss(reformed, clean)
