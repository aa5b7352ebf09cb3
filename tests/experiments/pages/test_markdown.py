from __future__ import annotations

from experiments.pages.blocks import Section, Table
from experiments.pages.markdown import bullets, to_markdown


def test_every_block_is_there(sections):
    text = to_markdown("Title", sections)
    assert text.startswith("# Title\n\n## First & last\n\nWords with <tags>.\n\n**Numbers**\n\n")
    assert "| Name | Value | Verdict |\n| --- | --- | --- |\n| a | 0.5 [0.1,\N{NO-BREAK SPACE}0.9] | yes |\n" in text
    assert "*Numbers: [n.csv](n.csv). Made of 2 slices.*" in text
    assert "![A curve rising.](curve.png)" in text
    assert "*\n\n**Curve**\n\n![A curve" in text
    assert r"0.5 [0.1, 0.9]\* against 0.4 [0.1, 0.8]\*." in text


def test_a_narrow_column_does_not_part_an_interval():
    table = Table("T", ("x",), [("0.5 [0.1, 0.9], 0.2 [0, 1]",)], "", "t.csv")
    text = to_markdown("Title", [Section("S", [table])])
    assert "| 0.5 [0.1,\N{NO-BREAK SPACE}0.9], 0.2 [0,\N{NO-BREAK SPACE}1] |" in text


def test_a_list_has_one_item_a_line():
    assert bullets(["one", "two"]) == "- one\n- two"
