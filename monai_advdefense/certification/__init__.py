"""Certified segmentation by randomized smoothing: labels that no perturbation within a radius can change."""

from __future__ import annotations

from monai_advdefense.certification.certify import Certificate, certify
from monai_advdefense.certification.holm import holm_cut
from monai_advdefense.certification.noisy import noisy
from monai_advdefense.certification.radius import certified_radius

__all__ = ["Certificate", "certified_radius", "certify", "holm_cut", "noisy"]
