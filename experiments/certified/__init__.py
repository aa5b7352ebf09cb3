"""Figures of certified segmentation: what no perturbation within a radius can change."""
