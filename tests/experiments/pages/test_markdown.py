from __future__ import annotations

import pytest

from experiments.pages.blocks import Section, Table
from experiments.pages.markdown import bullets, to_markdown, write_page


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


def test_a_page_is_written_after_the_tables_that_it_is_made_from(tmp_path):
    path, folder = tmp_path / "page.md", tmp_path / "results"
    assert write_page(path, lambda tables: (tables / "facts.csv").read_text(), {"facts": {"a": "1"}}, folder) == path
    assert path.read_text() == "a\n1\n"
    write_page(folder / "page.md", lambda beside: str(sorted(file.name for file in beside.glob("*.csv"))))
    assert (folder / "page.md").read_text() == "['facts.csv']"


def test_a_page_that_cannot_be_made_leaves_the_older_one(tmp_path):
    (tmp_path / "page.md").write_text("older")
    with pytest.raises(ZeroDivisionError):
        write_page(tmp_path / "page.md", lambda _: str(1 / 0))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("page.md", "older")]
