from __future__ import annotations

import numpy as np
import pytest

from experiments.paper.pairs_plot import pairs_plot
from experiments.paper.quantities import quantities
from experiments.paper.rows import guard_table
from experiments.tables import select


@pytest.fixture(scope="module")
def found(results):
    return quantities(results, resamples=20)


@pytest.fixture(scope="module")
def guards(results, found):
    return guard_table(results, found)


def _full(guards, target):
    rows = select(guards, form="dag", type="A+B+C", strength=1.0, support="brain", target=target)
    return rows.dropna(subset="pair").to_dict("records")


def test_figure_4_shows_dice_and_coverage_of_every_pair(results, guards):
    figure = pairs_plot(guards, results.targets)
    assert len(figure.axes) == 2 * len(results.targets)
    for place, target in enumerate(results.targets):
        rows = _full(guards, target)
        dice_axes, coverage_axes = figure.axes[2 * place : 2 * place + 2]
        shown = np.concatenate([container.lines[0].get_xydata() for container in dice_axes.containers])
        shown = shown[shown[:, 1].argsort()]
        wanted = [(float(row["dice"]), number) for number, row in enumerate(rows) if row["dice"] >= 0]
        assert np.allclose(shown, wanted)
        assert [bar.get_width() for bar in coverage_axes.patches] == pytest.approx(
            [float(row["coverage"]) for row in rows]
        )
        assert dice_axes.get_title(loc="left") == f"{target} target"
        bare = select(guards, detector="none", reformer="none", target=target, form="clean")
        lines = {line.get_xdata()[0] for line in dice_axes.lines if len(set(line.get_xdata())) == 1}
        assert set(bare["dice"]) <= lines


def test_pair_that_accepts_nothing_is_said_to(guards):
    rows = guards.assign(dice=0.5, dice_low=0.4, dice_high=0.6)
    rows.loc[rows["pair"] == 13, ["dice", "dice_low", "dice_high"]] = np.nan
    figure = pairs_plot(rows, ["UNet"])
    assert [(text.get_text(), text.get_position()[1]) for text in figure.axes[0].texts] == [("none accepted", 12)]


def test_each_kind_of_pair_has_its_color(guards):
    axes = pairs_plot(guards.assign(dice=0.5, dice_low=0.4, dice_high=0.6), ["UNet"]).axes[0]
    colors = {container.get_label(): container.lines[0].get_color() for container in axes.containers}
    assert len(colors) == len(set(colors.values())) == 5
    beyond = next(container for container in axes.containers if container.get_label() == "beyond the paper")
    assert beyond.lines[0].get_ydata().tolist() == [16, 17]


def test_an_estimate_outside_of_its_interval_is_drawn(guards):
    rows = guards.assign(dice=0.5, dice_low=0.6, dice_high=0.7)
    axes = pairs_plot(rows, ["UNet"]).axes[0]
    for container in axes.containers:
        for (left, _), (right, _) in container.lines[2][0].get_segments():
            assert (left, right) == pytest.approx((0.5, 0.7))
