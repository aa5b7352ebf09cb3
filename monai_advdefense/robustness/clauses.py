"""Which rules ask for what, and where the report speaks of it; what the report is not."""

from __future__ import annotations

__all__ = ["CLAUSES", "LIMITS"]

CLAUSES = [
    {
        "source": "Regulation (EU) 2024/1689 (AI Act), Article 15(4) and (5)",
        "asks": "robustness against errors and inconsistencies; resilience against inputs made to mislead the model "
        "(adversarial examples, model evasion); measures declared in the instructions for use",
        "sections": ["claims", "attacks", "corruptions", "guard"],
    },
    {
        "source": "prEN 18282 (draft)",
        "asks": "objective criteria for measures that prevent, detect and respond to adversarial examples",
        "sections": ["claims", "ruined", "guard"],
    },
    {
        "source": "FDA draft guidance of 7 January 2025, AI-Enabled Device Software Functions, section XII",
        "asks": "tests of model evasion, the threat that meets a device while it runs; detection of anomalous inputs",
        "sections": ["attacks", "ruined", "guard"],
    },
]
"""Clause, what it asks for, and the sections of the page that bear on it."""

LIMITS = [
    "It is evidence for those who assess a device, and no certification, conformity assessment or approval.",
    "The worst case is over the attacks and budgets listed here. A stronger attack may exist: the true worst case is "
    "this bad or worse.",
    "It holds for the weights, images and settings named here, and for images like them.",
    "Intervals are over subjects by bootstrap. With few subjects they are too narrow; with one there are none.",
    "Corruptions are models of accidents, calibrated to equal change of the image, not to how often they happen.",
    "Attacks change the image that the network takes, after preprocessing. Who can change files only has less freedom.",
    "Theft of the model, poisoned training data, privacy and the software around the network are not measured.",
]
"""What the report is not, sentence by sentence."""
