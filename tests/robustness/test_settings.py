from __future__ import annotations

import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.robustness import Settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budgets": ()}, "budgets: expected rising numbers above 0 up to 1"),
        ({"budgets": (0.2, 0.1)}, "budgets"),
        ({"budgets": (2.0,)}, "budgets"),
        ({"budgets": (float("nan"),)}, "budgets: .* found \\(nan,\\)"),
        ({"budgets": 0.1}, "budgets"),
        ({"changes": (0.0, 0.1)}, "changes"),
        ({"changes": (0.1, float("inf"))}, "changes"),
        ({"attacks": ("pdg",)}, "attacks: expected one of .*pgd.* found 'pdg'"),
        ({"corruptions": ("rust",)}, "corruptions: expected one of bias field"),
        ({"activation": "relu"}, "activation"),
        ({"value_range": (1.0, 0.0)}, "value_range"),
        ({"value_range": (0.0, float("inf"))}, "value_range"),
        ({"value_range": (0.0, 1.0, 2.0)}, "value_range"),
        ({"background": float("nan")}, "background: expected a finite number"),
        ({"steps": 1.5}, "steps: expected a whole number"),
        ({"slice_dim": -1}, "slice_dim: expected at least 0"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"slices": 0}, "slices: expected 1 or more"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(InputError, match=message):
        Settings(**change)
