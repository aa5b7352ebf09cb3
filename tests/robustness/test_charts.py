from __future__ import annotations

import pytest

from monai_advdefense.robustness.charts import dice_curves


def _levels(*pairs):
    return [{"level": level, "dice": {"estimate": dice}} for level, dice in pairs]


CURVES = {
    "worst case": _levels((0.01, 0.5), (0.02, 0.1)),
    "pgd": _levels((0.01, 0.7), (0.02, 0.4)),
    "fgsm": _levels((0.01, None), (0.02, 0.8)),
}


@pytest.mark.parametrize("narrow", [False, True])
def test_each_curve_begins_at_the_clean_images_and_leaves_out_what_is_unknown(narrow):
    figure = dice_curves(CURVES, clean=0.9, x_label="Budget (%)", narrow=narrow)
    (axes,) = figure.axes
    drawn = {line.get_gid(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {
        "worst case": [[0, 0.9], [1, 0.5], [2, 0.1]],
        "pgd": [[0, 0.9], [1, 0.7], [2, 0.4]],
        "fgsm": [[0, 0.9], [2, 0.8]],
    }
    assert axes.get_xlabel() == "Budget (%)"
    assert axes.get_ylim()[0] < 0 < 1 < axes.get_ylim()[1]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(CURVES)


def test_the_worst_case_is_drawn_thick_and_colours_tell_the_others_apart():
    (axes,) = dice_curves(CURVES, clean=0.9, x_label="").axes
    worst, *others = axes.lines
    assert all(worst.get_linewidth() > line.get_linewidth() for line in others)
    assert all(worst.get_zorder() > line.get_zorder() for line in others)
    assert len({line.get_color() for line in axes.lines}) == len({line.get_marker() for line in axes.lines}) == 3


def test_a_phone_gets_a_higher_figure():
    width, height = dice_curves(CURVES, clean=0.9, x_label="", narrow=True).get_size_inches()
    assert height > width
