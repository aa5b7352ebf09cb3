from __future__ import annotations

from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure

from experiments.paper.plot_style import INK, STYLE, shared_legend


def test_one_legend_names_each_curve_once():
    figure = Figure(layout="constrained")
    for axes in figure.subplots(1, 2):
        axes.plot([0, 1], label="a")
        axes.plot([1, 0], label="b")
    shared_legend(figure, columns=2)
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_panels_without_curves_have_no_legend():
    figure = Figure(layout="constrained")
    figure.subplots()
    shared_legend(figure, columns=2)
    assert not figure.legends


def test_the_style_holds_for_a_plot_and_no_longer():
    before = dict(rcParams)
    with rc_context(fname=STYLE):
        axes = Figure().subplots()
        axes.set_title("left")
    assert dict(rcParams) == before
    assert axes.get_title(loc="left") == "left"
    assert not axes.spines["top"].get_visible()
    assert axes.xaxis.label.get_color() == f"#{INK.removeprefix('#')}"
