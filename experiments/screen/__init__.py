"""Figures of the screen: what its scores see of accidents, wrong poses and faint attacks."""
