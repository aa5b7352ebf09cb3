from __future__ import annotations

import pytest

from monai_advdefense.guard.fit_typicality import fit_typicality
from tests.guard.phantom_slices import phantom_slices


@pytest.fixture(scope="session")
def fitted():
    """Typicality fitted on eight phantoms."""
    return fit_typicality([phantom_slices(seed) for seed in range(8)], [f"P{seed}" for seed in range(8)])
