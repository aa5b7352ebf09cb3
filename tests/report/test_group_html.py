from __future__ import annotations

import math
import re
from urllib.parse import unquote

import numpy as np
import pytest

from monai_advdefense.guard.batch_alarm import BatchFinding
from monai_advdefense.report import GroupEntry, group_to_html
from tests.accessible_page import faults

NAME = 'site <1>/50 % & "more" #2?.nii.gz'


@pytest.fixture
def entry(make_case):
    def make(name, scores, *args, **kwargs):
        stem = name.removesuffix(".nii.gz")
        paths = {"report": f"{stem}_report.html", "segmentation": f"{stem}_seg.nii.gz"}
        return GroupEntry(name, make_case(scores, *args, **kwargs), **paths)

    return make


def test_page_is_well_formed_self_contained_and_links_only_beside_itself(entry, read_page):
    entries = [entry(NAME, [0.5, 3.0]), entry("b.nii.gz", [0.5]), GroupEntry("c.nii.gz", failure="no <image>")]
    text = group_to_html(entries, inputs="/data/<in>")
    assert faults(text) == []
    page = read_page(text)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "url(" not in text
    for image in page.named("img"):
        assert image["src"].startswith("data:image/png;base64,")
        assert image["alt"]
    links = [link["href"] for link in page.named("a")]
    targets = {link[1:] for link in links if link.startswith("#")}
    assert targets <= {attributes.get("id") for _, attributes in page.tags}
    stem = NAME.removesuffix(".nii.gz")
    assert {unquote(link) for link in links if not link.startswith("#")} == {
        f"{stem}_report.html", f"{stem}_seg.nii.gz", "b_report.html", "b_seg.nii.gz", "report.csv"
    }  # fmt: skip
    assert not any(re.search(r"[?#<>\" ]", link) for link in links if not link.startswith("#"))
    assert "no <image>" in page.words
    assert "/data/<in>" in page.words


def test_a_volume_takes_less_than_a_kilobyte(make_case):
    rng = np.random.default_rng(0)
    names = [f"site/sub-{n:04d}/anat/sub-{n:04d}_T1w" for n in range(300)]
    entries = [
        GroupEntry(
            f"{name}.nii.gz", make_case(list(rng.gamma(4, 0.17, 200))), "", f"{name}_report.html", f"{name}_seg.nii.gz"
        )
        for name in names
    ]
    few, many = (group_to_html(entries[:count]) for count in (100, 300))
    assert (len(many.encode()) - len(few.encode())) / 200 < 950
    assert many.count("<svg") == 300


def test_a_long_table_comes_in_parts(make_case, read_page):
    entries = [GroupEntry(f"{n:03d}.nii.gz", make_case([0.5])) for n in range(201)]
    page = read_page(group_to_html(entries))
    assert len(page.named("table")) == len(page.named("caption")) == 3
    assert "Volumes 101 to 200 of 201" in page.words
    assert all(page.words.count(f"{n:03d}.nii.gz") == 1 for n in range(201))


@pytest.mark.parametrize(("flagged", "said"), [(9, "Too many volumes are suspicious."), (1, "is not more than clean")])
def test_the_answer_of_the_stop_rule_is_said(entry, read_page, flagged, said):
    batch = BatchFinding(flagged, 30, rate=0.05, subjects=20, level=0.01)
    words = read_page(group_to_html([entry("a.nii.gz", [0.5])], batch=batch)).words
    assert (
        f"{flagged} of 30 checked volumes are called other than clean; of clean volumes it would be about 5 %" in words
    )
    assert said in words
    assert "The limit was set on 20 subjects." in words


def test_table_can_be_read_by_ear(entry, read_page):
    """Columns and rows are named, roles survive the layout of a phone, and links tell where they lead."""
    text = group_to_html([entry("a.nii.gz", [0.25, 0.5, 3.0]), GroupEntry("b.nii.gz", failure="why")])
    page = read_page(text)
    assert len(page.named("caption")) == 1
    headers = page.named("th")
    columns = [header for header in headers if header["scope"] == "col"]
    assert [header["scope"] for header in headers[len(columns) :]] == ["row", "row"]
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    for tag, role in roles.items():
        assert {attributes["role"] for attributes in page.named(tag)} == {role}
    cells = page.named("td")
    assert len(cells) == (len(columns) - 1) + 1
    assert int(cells[0]["colspan"]) == len(columns) - 1
    (picture,) = page.named("svg")
    assert picture["role"] == "img"
    assert picture["aria-label"] == "Scores 0.2500 to 3.000"
    # The name leads to the report; the other link stands in the same header.
    links = [link["href"] for link in page.named("a")]
    assert links[links.index("a_report.html") + 1] == "a_seg.nii.gz"
    # The first thing that the keyboard reaches leads past the summary.
    assert page.named("a")[0] == {"class": "skip", "href": "#cases"}
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_worst_volumes_come_first_with_verdict_and_numbers(entry, read_page):
    entries = [entry("good.nii.gz", [0.5, 0.5]), entry("bad.nii.gz", [0.5, 0.25, 0.5, 3.0])]
    page = read_page(group_to_html([*entries, GroupEntry("failed.nii.gz", failure="ends early")]))
    texts = [text.strip() for text in page.text if text.strip()]
    failed, bad, good = (texts.index(f"{name}.nii.gz") for name in ("failed", "bad", "good"))
    assert texts[failed + 1 : bad] == ["failed", "ends early"]
    assert texts[bad + 2 : good] == ["look at it", "1", "(25.0\xa0%)", "4", "3.00", "0.5000", "3"]


@pytest.mark.parametrize(
    ("scores", "threshold", "state"),
    [
        ([0.5], 1.0, "clean"),
        ([3.0], 1.0, "review"),
        ([math.nan], 1.0, "not_checked"),
        ([0.5], math.nan, "not_checked"),
    ],
)
def test_verdict_of_the_group_comes_first_and_its_limits_are_always_said(entry, read_page, scores, threshold, state):
    page = read_page(group_to_html([entry("a.nii.gz", scores, threshold)]))
    assert page.named("section")[0]["class"] == f"verdict is-{state}"
    assert "No protection against an attacker who knows this guard" in page.words
    assert ("use the segmentation as you would" in page.words) == (state == "clean")
    assert ("vertical line is the threshold" in page.words) == (state in ("clean", "review"))


def test_expected_false_alarms_are_stated_where_slices_were_rejected(entry, read_page):
    alarm = "In clean volumes, about 5 % would be rejected by mistake"
    rejected = entry("a.nii.gz", [3.0], false_positive_rate=0.05)
    accepted = entry("b.nii.gz", [0.5], false_positive_rate=0.05)
    assert alarm in read_page(group_to_html([rejected, accepted])).words
    assert alarm not in read_page(group_to_html([accepted])).words


def test_volumes_of_different_weights_are_not_mixed_up(entry, read_page):
    entries = [
        entry("a.nii.gz", [0.5], 1.0, model="guard 1", false_positive_rate=0.05),
        entry("b.nii.gz", [0.5], 2.0, model="guard 2", false_positive_rate=0.01),
    ]
    words = read_page(group_to_html(entries)).words
    assert "guard 1, guard 2" in words
    assert "False alarm ratenot stated" in words
    assert "threshold of the score" not in words


@pytest.mark.parametrize("failed", [0, 2])
def test_page_without_any_score_has_no_figure(read_page, failed):
    page = read_page(group_to_html([GroupEntry(f"{n}.nii.gz", failure="why") for n in range(failed)]))
    assert page.named("img") == page.named("svg") == []
    assert ("2 of 2 volumes failed" in page.words) == bool(failed)
