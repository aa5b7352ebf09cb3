"""Figures of guard 2: what its scores see of accidents, wrong poses and faint attacks."""
