"""Scores of one slice: each is a few numbers of the image, standardized on clean slices."""

from __future__ import annotations

__all__: list[str] = []
