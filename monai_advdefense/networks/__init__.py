"""Architectures that MONAI lacks."""

from __future__ import annotations

from monai_advdefense.networks.fc_densenet import FCDenseNet
from monai_advdefense.networks.magnet_autoencoder import MagNetAutoencoder
from monai_advdefense.networks.segnet import SegNet

__all__ = ["FCDenseNet", "MagNetAutoencoder", "SegNet"]
