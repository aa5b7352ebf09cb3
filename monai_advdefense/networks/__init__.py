"""Networks: segmenters and autoencoders that MONAI lacks, and the parts of the guard."""

from __future__ import annotations

from monai_advdefense.networks.combined_score import CombinedScore
from monai_advdefense.networks.defended_segmenter import DefendedSegmenter
from monai_advdefense.networks.fc_densenet import FCDenseNet
from monai_advdefense.networks.magnet_autoencoder import MagNetAutoencoder
from monai_advdefense.networks.reconstruction_detector import ReconstructionDetector
from monai_advdefense.networks.reformer import Reformer
from monai_advdefense.networks.segnet import SegNet

__all__ = [
    "CombinedScore",
    "DefendedSegmenter",
    "FCDenseNet",
    "MagNetAutoencoder",
    "ReconstructionDetector",
    "Reformer",
    "SegNet",
]
