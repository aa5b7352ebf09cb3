from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.paper.curve_plots import risk_coverage_plot, roc_plot
from experiments.paper.quantities import quantities
from experiments.paper.rows import risk_coverage_table, roc_table
from experiments.tables import select


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=5)


def test_curves_of_every_detector(results, found):
    for draw, rows in (
        (roc_plot, roc_table(results, found)),
        (risk_coverage_plot, risk_coverage_table(results, found)),
    ):
        figure = draw(rows, results.targets)
        for axes in figure.axes:
            assert set(results.detectors) <= {line.get_label() for line in axes.lines}
            styles = [
                (line.get_color(), line.get_linestyle()) for line in axes.lines if line.get_label() in results.detectors
            ]
            assert len(set(styles)) == len(styles)
            assert axes.get_xlabel()
        assert figure.axes[0].get_ylabel()


def test_a_curve_goes_through_the_points_of_its_detector(results, found):
    rows = roc_table(results, found)
    axes = roc_plot(rows, results.targets).axes[1]
    points = select(rows, target=results.targets[1], detector="UNet shifted")
    line = next(line for line in axes.lines if line.get_label() == "UNet shifted")
    np.testing.assert_array_equal(line.get_xdata(), points["false_positive_rate"])
    np.testing.assert_array_equal(line.get_ydata(), points["true_positive_rate"])


def test_no_risk_at_all_is_drawn():
    rows = pd.DataFrame({"detector": "a", "target": "UNet", "coverage": [0.5, 1.0], "risk": 0.0})
    low, high = risk_coverage_plot(rows, ["UNet"]).axes[0].get_ylim()
    assert low < 0 < high
