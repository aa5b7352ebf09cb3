from __future__ import annotations

import pytest

from experiments.paper.blocks import Note, Picture, Section, Table, to_html, to_markdown

SECTIONS = [
    Section(
        "First & last",
        [
            "Words with <tags>.",
            Table(
                "Numbers", ("Name", "Value", "Verdict"), [("a", "0.5 [0.1, 0.9]", "yes")], "Made of 2 slices.", "n.csv"
            ),
            Table("More", ("Name", "Value"), [("b", "1")], "Made of 3 slices.", "m.csv", folded=True),
            Table("Much more", ("Name", "Value"), [("c", "2")], "Made of 3 slices.", "m.csv", folded=True),
            Table("Others", ("Name", "Value"), [("d", "3")], "Made of 3 slices.", "o.csv", folded=True),
            Picture("Curve", "curve", "A curve rising.", "Made of 4 slices."),
            Note("Not found", ["This.", "0.5 [0.1, 0.9]* against 0.4 [0.1, 0.8]*."]),
        ],
    )
]


@pytest.fixture
def folder(tmp_path):
    for name in ("curve", "curve_narrow"):
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG " + name.encode())
    return tmp_path


def test_markdown():
    text = to_markdown("Title", SECTIONS)
    assert text.startswith("# Title\n\n## First & last\n\nWords with <tags>.\n\n**Numbers**\n\n")
    assert "| Name | Value | Verdict |\n| --- | --- | --- |\n| a | 0.5 [0.1,\N{NO-BREAK SPACE}0.9] | yes |\n" in text
    assert "*Numbers: [n.csv](n.csv). Made of 2 slices.*" in text
    assert "![A curve rising.](curve.png)" in text
    assert "\n\n- Also in [m.csv](m.csv): More; Much more\n- Also in [o.csv](o.csv): Others\n\n**Curve**" in text
    assert "| b | 1 |" not in text
    assert r"0.5 [0.1, 0.9]\* against 0.4 [0.1, 0.8]\*." in text


def test_html(folder):
    text = to_html("Title <1>", SECTIONS, folder, date="2026-01-31", command="run --it")
    assert "Title &lt;1&gt;" in text
    assert "Words with &lt;tags&gt;." in text
    assert '<td>0.5 <span class="interval">[0.1, 0.9]</span></td>' in text
    assert '<td class="verdict-yes">yes</td>' in text
    assert '<section id="first---last">' in text
    assert 'href="#first---last"' in text
    assert text.count("data:image/png;base64,") == 2
    assert text.index("<details>") < text.index("<summary>More</summary>") < text.index("</details>")
    assert "<p>This.</p>" in text
