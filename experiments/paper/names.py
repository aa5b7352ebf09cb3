"""What the experiments compare, by name: target networks, detectors, reformers and their pairs."""

from __future__ import annotations

TARGETS = ("UNet", "SegNet", "DenseNet")
MEAN = "mean"
"""Target of a quantity that is the mean over all target networks."""

CALIBRATION = "calibration"
"""The clean slices on which thresholds are set."""
# Share of clean calibration slices that every threshold may reject.
FALSE_POSITIVE_RATE = 0.05

AUTOENCODERS = ("Autoencoder I", "Autoencoder II")
NETWORKS = ("UNet", "DenseNet")
DETECTORS = {
    "Autoencoder I": ("Autoencoder I", "image", False),
    "Autoencoder II": ("Autoencoder II", "image", False),
    "UNet image": ("UNet", "image", False),
    "DenseNet image": ("DenseNet", "image", False),
    "UNet unshifted": ("UNet", "spectrum", False),
    "DenseNet unshifted": ("DenseNet", "spectrum", False),
    "UNet shifted": ("UNet", "spectrum", True),
    "DenseNet shifted": ("DenseNet", "spectrum", True),
}
"""Architecture of each detector of Table 1, what it sees, and whether the spectrum is shifted."""

REFORMERS = {
    "Autoencoder I": ("Autoencoder I", 0.0),
    "Autoencoder II": ("Autoencoder II", 0.0),
    "UNet": ("UNet", 0.0),
    "DenseNet": ("DenseNet", 0.0),
    "UNet denoiser": ("UNet", 0.1),
}
"""Architecture of each reformer, and the noise on its input in training."""

DIVERGENCE = "divergence"
COMBINED = "UNet shifted + divergence"
NO_DETECTOR = "none"
"""Detector that accepts everything."""
NO_REFORMER = "none"
"""Reformer that changes nothing."""
PERFECT = "perfect"
"""Detector in the risk-coverage curves that rejects the bad slices first."""

_SHIFTED = ("UNet shifted", "DenseNet shifted")
# The 16 pairs of Table 2, numbered from 1: MagNet is 1 to 4, the paper's own proposal 13.
PAIRS = (
    *((detector, reformer) for detector in AUTOENCODERS for reformer in AUTOENCODERS),
    *((detector, reformer) for detector in AUTOENCODERS for reformer in NETWORKS),
    *((detector, reformer) for detector in _SHIFTED for reformer in AUTOENCODERS),
    *((detector, reformer) for detector in _SHIFTED for reformer in NETWORKS),
    ("UNet shifted", "UNet denoiser"),
    (COMBINED, "UNet denoiser"),
)
# Guards against which an informed attacker optimizes: detector, reformer, and whether the divergence counts.
GUARDS = {
    "UNet shifted": ("UNet shifted", "UNet", False),
    COMBINED: ("UNet shifted", "UNet denoiser", True),
}

POOLED = "A+B+C"
"""Types of the attack in a quantity over all of them."""
HALF = "clean+A+B+C"
"""The same where each attacked slice stands beside its clean copy."""
