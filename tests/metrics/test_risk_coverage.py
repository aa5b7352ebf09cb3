from __future__ import annotations

import numpy as np
import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.metrics import risk_coverage_curve


def test_curve_by_hand():
    coverage, risk = risk_coverage_curve([4.0, 1.0, 2.0, 2.0], [1.0, 0.0, 1.0, 0.0])
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == pytest.approx([0.0, 1 / 3, 0.5])


def test_order_of_rows_does_not_matter_and_the_end_is_the_mean_loss():
    rng = np.random.default_rng(0)
    scores, losses = rng.normal(size=50), rng.random(50)
    order = rng.permutation(50)
    for first, second in zip(
        risk_coverage_curve(scores, losses), risk_coverage_curve(scores[order], losses[order]), strict=True
    ):
        assert np.allclose(first, second)
    coverage, risk = risk_coverage_curve(scores, losses)
    assert coverage[-1] == 1.0
    assert risk[-1] == pytest.approx(losses.mean())


@pytest.mark.parametrize(("scores", "losses"), [([], []), ([1.0], [1.0, 2.0]), ([np.nan], [1.0])])
def test_wrong_input_is_refused(scores, losses):
    with pytest.raises(InputError):
        risk_coverage_curve(scores, losses)
