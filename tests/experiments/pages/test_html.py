from __future__ import annotations

import pytest

from experiments.pages.blocks import Section, Table
from experiments.pages.html import to_html


@pytest.fixture
def folder(tmp_path):
    for name in ("curve", "curve_narrow"):
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG " + name.encode())
    return tmp_path


def test_every_block_is_there(sections, folder):
    text = to_html("Title <1>", sections, folder, date="2026-01-31", command="run --it")
    assert "Title &lt;1&gt;" in text
    assert "Words with &lt;tags&gt;." in text
    assert '<td>0.5 <span class="interval">[0.1, 0.9]</span></td>' in text
    assert '<td class="verdict-yes">yes</td>' in text
    assert '<section id="first---last">' in text
    assert 'href="#first---last"' in text
    assert text.count("data:image/png;base64,") == 2
    assert text.index("<details>") < text.index("<summary>More</summary>") < text.index("</details>")
    assert "<p>This.</p>" in text


def test_columns_of_names_and_words_are_told_apart(tmp_path):
    table = Table("T", ("a", "b", "c"), [("x", "y", "long words")], "", "t.csv", names=2, words=True)
    text = to_html("Title", [Section("S", [table])], tmp_path, date="", command="")
    assert '<td class="name">y</td>' in text
    assert '<td class="words">long words</td>' in text


def test_a_picture_that_is_missing_is_an_error(sections, tmp_path):
    with pytest.raises(FileNotFoundError, match="curve"):
        to_html("Title", sections, tmp_path, date="", command="")
