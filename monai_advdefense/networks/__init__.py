"""Architectures that MONAI lacks, and networks made faster for inference."""

from __future__ import annotations

from monai_advdefense.networks.can_be_copied import can_be_copied
from monai_advdefense.networks.fc_densenet import FCDenseNet
from monai_advdefense.networks.fold_batch_norm import fold_batch_norm
from monai_advdefense.networks.magnet_autoencoder import MagNetAutoencoder
from monai_advdefense.networks.segnet import SegNet
from monai_advdefense.networks.windowed_unet import WindowedUNet

__all__ = ["FCDenseNet", "MagNetAutoencoder", "SegNet", "WindowedUNet", "can_be_copied", "fold_batch_norm"]
