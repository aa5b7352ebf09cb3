from __future__ import annotations

import math
import re

import numpy as np
import pytest

from monai_advdefense.guard.predicted_dice import PredictedDice
from monai_advdefense.report import Plane, SliceView, case_to_html, thumbnail
from tests.accessible_page import faults

PLANE = Plane("LRIS", (1.0, 1.0), (slice(0, 192), slice(0, 192)))


def _views(case, number=1, size=24):
    rng = np.random.default_rng(0)
    views = []
    for record in case.most_suspicious(number):
        noise = rng.random((size, size), dtype=np.float32)
        labels = rng.integers(0, 4, (size, size)) if record.decision == "accepted" else None
        views.append(SliceView(record, noise, noise, noise, True, noise, labels))
    return views


@pytest.fixture(scope="module")
def names():
    return {0: "background", 1: "left thalamus", 2: "right thalamus", 3: "brain stem"}


def test_page_is_well_formed_self_contained_and_small(make_case, names, read_page):
    case = make_case([0.1, 3.0, 0.4, 2.0, 0.9] * 40, false_positive_rate=0.05)
    text = case_to_html(case, _views(case, 6, 192), PLANE, class_names=names)
    page = read_page(text)
    assert len(text.encode()) < 3_000_000
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "data", "action"):
                assert value.startswith(("data:image/png;base64,", "data:image/svg+xml;base64,"))
    assert "http" not in re.sub(r"data:[^\"]*|http-equiv", "", text)
    assert "url(" not in text
    assert page.named("html") == [{"lang": "en"}]


def test_every_picture_has_a_text_and_a_keyboard_and_a_screen_reader_get_everywhere(make_case, names, read_page):
    case = make_case([0.1, 3.0])
    text = case_to_html(case, _views(case, 2), PLANE, class_names=names)
    assert faults(text) == []
    page = read_page(text)
    texts = [image["alt"] for image in page.named("img")]
    assert len(texts) == 1 + 2 * 5 + 1
    assert all(texts)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("scores", "threshold", "blank", "state"),
    [
        ([0.1, 0.5], 1.0, (), "clean"),
        ([0.1, 3.0, math.nan], 1.0, (), "review"),
        ([0.1, math.inf], 1.0, (), "not_checked"),
        ([0.1, 0.5], math.nan, (), "not_checked"),
        ([0.1, 0.5], 1.0, (0, 1), "not_checked"),
    ],
)
def test_verdict_comes_first_and_its_limits_are_always_said(
    make_case, names, scores, threshold, blank, state, read_page
):
    case = make_case(scores, threshold, blank, false_positive_rate=0.05)
    page = read_page(case_to_html(case, _views(case), PLANE, class_names=names))
    assert case.headline in page.words
    assert page.named("section")[0]["class"] == f"verdict is-{state}"
    assert page.words.index(case.headline) < page.words.index("What this does not tell you")
    assert "No protection against an attacker who knows this guard" in page.words
    assert ("Use the segmentation as you would" in page.words) == (state == "clean")


def test_uncalibrated_guard_claims_neither_a_threshold_nor_a_rate(make_case, names, read_page):
    words = read_page(case_to_html(make_case([0.5], math.nan, false_positive_rate=0.05))).words
    assert "no calibrated threshold" in words
    assert "5 %" not in words
    assert "dashed threshold" not in words


def test_where_no_slice_has_a_score_there_is_no_curve_and_nothing_is_called_suspicious(make_case, read_page):
    case = make_case([math.nan] * 5, math.nan)
    page = read_page(case_to_html(case, _views(case), PLANE))
    assert "No slice has a score; these are spread over the volume." in page.words
    assert "most suspicious" not in page.words
    assert "Score of every slice" not in page.words
    assert "Score of every slice" in read_page(case_to_html(make_case([math.nan, 0.5]))).words


def test_expected_false_alarms_are_stated(make_case, read_page):
    for rejected, few in ((5, True), (6, False)):
        case = make_case([0.5] * (100 - rejected) + [3.0] * rejected, false_positive_rate=0.05)
        words = read_page(case_to_html(case)).words
        assert "about 5 of 100 slices would be rejected by mistake" in words
        assert ("So few rejections are expected in a clean volume" in words) == few


def test_slice_that_only_the_segmenter_refused_is_explained(make_case, read_page):
    case = make_case([0.5, 0.6])
    refused = type(case.slices[0])(0, 0.0, 0, 0.5, "rejected")
    changed = type(case)(case.input_path, case.segmentation_path, case.threshold, (refused, case.slices[1]))
    assert "1 of them have a score at or under the threshold" not in read_page(case_to_html(case)).words
    assert "score at or under the threshold" in read_page(case_to_html(changed)).words


def test_table_lists_every_slice_and_is_closed_at_first(make_case, read_page):
    case = make_case([0.25, 3.5, math.nan])
    page = read_page(case_to_html(case))
    assert page.named("details") == [{}]
    assert len(page.named("tr")) == 1 + 3
    assert "0−10.030.2500accepted" in "".join(page.text).replace("\n", "")
    assert "5not a numbernot checked" in "".join(page.text).replace("\n", "")


def test_text_from_outside_is_escaped(make_case, read_page):
    case = make_case([0.5], model="<b>model</b>", weights_license="CC BY-NC & more")
    text = case_to_html(case)
    assert "<b>" not in text
    assert "site <1>" not in text
    words = read_page(text).words
    assert "scan & more.nii.gz" in words
    assert "<b>model</b>" in words
    assert "CC BY-NC & more" in words


def test_legend_names_the_structures_in_the_pictures(make_case, names, read_page):
    case = make_case([0.5])
    words = read_page(case_to_html(case, _views(case), PLANE, class_names=names)).words
    assert "thalamus" in words
    assert "left thalamus" not in words
    assert "brain stem" in words


@pytest.mark.parametrize(
    ("verdict", "cause", "told"),
    [
        ("clean", "", "Use the segmentation as you would use any automatic one"),
        ("review", "ghosting", "repeat the scan if structures are doubled"),
        ("reject", "smooth", "Do not use this segmentation"),
        ("not_checked", "", "Do not take this volume for clean"),
    ],
)
def test_page_says_verdict_cause_and_what_to_do(make_screened, read_page, verdict, cause, told):
    dice = PredictedDice(np.array([[0.8, 0.7, 0.9]]), (0.8, 0.75, 0.85))
    case = make_screened(verdict, cause, dice)
    page = read_page(case_to_html(case))
    assert page.named("section")[0]["class"] == f"verdict is-{verdict}"
    assert case.headline in page.words
    assert told in page.words
    assert "predicted Dice, between 0.75 and 0.85" in page.words
    assert ("1 of 2 judged slices was rejected; of a clean volume it would be about 0.1" in page.words) == (
        verdict != "not_checked"
    )
    assert "not judged" in page.words
    assert "a smooth image or one of low resolution" in page.words


def test_all_rejected_slices_are_shown_and_files_are_linked(make_case, read_page):
    case = make_case([0.1, 3.0, 0.4, 2.0, 0.9])
    pictures = {index: thumbnail(np.full((8, 8), 0.1 * index, np.float32)) for index in (1, 3)}
    links = {"Table (CSV)": "a #1_scores.csv", "All volumes": "../report.html"}
    page = read_page(case_to_html(case, thumbnails=pictures, links=links))
    assert "All 2 rejected slices" in page.words
    shown = {image["alt"]: image["src"] for image in page.named("img")}
    assert shown["Rejected slice 1"] == pictures[1]
    assert shown["Rejected slice 3"] == pictures[3]
    assert [link["href"] for link in page.named("a")] == ["a%20%231_scores.csv", "../report.html"]
    assert page.named("nav") == [{"aria-label": "Files about this volume"}]
