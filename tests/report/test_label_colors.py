from __future__ import annotations

from monai_advdefense.report import LABEL_COLORS, label_colors, structure_name

NAMES = {0: "background", 1: "left thalamus", 2: "right thalamus", 3: "brain stem", 4: "Right caudate", 5: "leftover"}


def test_both_sides_of_a_structure_share_a_color_and_no_others_do():
    colors = label_colors(6, NAMES)
    assert colors.keys() == {1, 2, 3, 4, 5}
    assert colors[1] == colors[2]
    assert len({colors[label] for label in (1, 3, 4, 5)}) == 4


def test_only_a_side_is_taken_off_a_name():
    assert [structure_name(label, NAMES) for label in (1, 4, 5, 9)] == ["thalamus", "caudate", "leftover", "class 9"]


def test_colors_are_distinct_and_start_again_when_used_up():
    assert len(set(LABEL_COLORS)) == len(LABEL_COLORS)
    colors = label_colors(len(LABEL_COLORS) + 2, {})
    assert colors[1] == colors[len(LABEL_COLORS) + 1] != colors[2]
