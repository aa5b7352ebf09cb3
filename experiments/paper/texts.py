"""Words of the page of results of the paper's experiments."""

from __future__ import annotations

from experiments.pages.texts import texts_beside

TEXTS = texts_beside(__file__)
