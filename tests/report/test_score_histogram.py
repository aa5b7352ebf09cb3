from __future__ import annotations

import math
import re

import numpy as np
import pytest

from monai_advdefense.report import GroupEntry
from monai_advdefense.report.score_histogram import (
    BAR,
    HEIGHT,
    WIDTH,
    histogram_paths,
    score_counts,
    score_edges,
    score_histogram,
)

LINE = r"M(\d+) (\d+)v-(\d+)"


@pytest.fixture
def entry(make_case):
    return lambda *args, **kwargs: GroupEntry("a.nii.gz", make_case(*args, **kwargs))


def test_every_slice_is_counted_once_under_its_decision(entry):
    entries = [entry([0.1, 0.5, 3.0, math.nan]), entry([0.2, 40.0, 0.0], blank=(2,)), GroupEntry("b", failure="why")]
    counts = score_counts(entries, score_edges(entries))
    assert {name: int(numbers.sum()) for name, numbers in counts.items()} == {
        "accepted": 3,
        "rejected": 2,
        "not_checked": 0,
    }


def test_bins_agree_with_the_scores(entry):
    entries = [entry(list(np.linspace(0.1, 0.9, 33)))]
    edges = score_edges(entries)
    numbers = score_counts(entries, edges)["accepted"]
    centers = (edges[:-1] + edges[1:]) / 2
    assert (numbers @ centers) / numbers.sum() == pytest.approx(0.5, abs=np.diff(edges)[0])
    assert np.allclose(np.diff(edges), np.diff(edges)[0])


def test_very_high_scores_share_the_last_bin_and_leave_room_for_the_others(entry):
    entries = [entry([0.1, 0.5, 0.9, 50.0, 1000.0])]
    edges = score_edges(entries)
    assert score_counts(entries, edges)["rejected"][-1] == 2
    assert (1.0 - edges[0]) / (edges[-1] - edges[0]) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("scores", [[], [math.nan], [0.5], [0.0, 0.0]])
@pytest.mark.parametrize("threshold", [math.nan, 0.5, 0.0])
def test_edges_increase_even_without_scores(entry, scores, threshold):
    assert (np.diff(score_edges([entry(scores, threshold)])) > 0).all()
    assert (np.diff(score_edges([])) > 0).all()


def _bars(path):
    return [tuple(map(int, bar)) for bar in re.findall(LINE, path)]


def test_bars_stand_on_one_another_and_stay_in_the_box(entry):
    item = entry([0.5] * 300 + [0.999, 3.0])
    paths = histogram_paths(item, score_edges([item]))
    accepted, rejected = _bars(paths["accepted"]), _bars(paths["rejected"])
    assert (len(accepted), len(rejected)) == (2, 1)
    tallest, small = sorted((bar[2] for bar in accepted), reverse=True)
    assert tallest == HEIGHT - 4
    assert small == rejected[0][2] == 3
    limit = float(re.fullmatch(rf"M([\d.]+) 0V{HEIGHT}", paths["threshold"])[1])
    assert all(x - BAR / 2 <= limit for x, _, _ in accepted)
    assert all(limit <= x + BAR / 2 <= WIDTH for x, _, _ in rejected)
    assert "not_checked" not in paths


def test_bars_of_two_decisions_in_one_bin_are_stacked(entry):
    item = entry([0.1] * 5 + [0.9999] * 20 + [1.0001] * 20)
    paths = histogram_paths(item, score_edges([item]))
    below = {x: height for x, _, height in _bars(paths["accepted"])}
    ((x, bottom, _),) = _bars(paths["rejected"])
    assert bottom == HEIGHT - below.get(x, 0)


def test_without_a_threshold_there_is_no_line(entry):
    item = entry([0.5, 0.6], math.nan)
    assert set(histogram_paths(item, score_edges([item]))) == {"not_checked"}


@pytest.mark.parametrize("narrow", [False, True])
def test_figure_shows_all_slices_and_one_line_for_each_threshold(entry, narrow):
    entries = [entry([0.5, 0.6, 3.0]), entry([0.7, 2.0])]
    (axes,) = score_histogram(entries, narrow=narrow).axes
    assert sum(bar.get_height() for bar in axes.patches) == 5
    assert [line.get_xdata()[0] for line in axes.lines] == [1.0]
    assert axes.get_ylabel() == "Slices"


def test_what_lies_beyond_the_scale_stands_apart_from_it_in_the_figure(entry):
    entries = [entry([0.0, 0.5, 0.9, *[50.0] * 7, 1000.0])]
    (axes,) = score_histogram(entries).axes
    end = score_edges(entries)[-1]
    (last,) = [bar for bar in axes.patches if bar.get_x() > end and bar.get_height()]
    assert last.get_height() == 8
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[-1] == "more"
    assert all(float(label) < end for label in labels[:-1])
    # No bar touches the frame.
    assert axes.get_ylim()[1] > 8
