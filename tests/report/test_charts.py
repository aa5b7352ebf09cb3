from __future__ import annotations

import base64
import io
import math

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from monai_advdefense.report import Plane, SliceView, color_bar, figure_to_data_uri, score_curve, slice_panels

SCORES = [0.2, 3.0, 0.9, math.nan, 2.0, 5.0]
PLANE = Plane("LRIS", (1.0, 1.0), (slice(2, 22), slice(4, 24)))


def _drawn(figure):
    return {line.get_gid(): line for line in figure.axes[0].lines if line.get_gid()}


def _pixels(figure):
    encoded = figure_to_data_uri(figure).removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))).convert("RGB")).astype(int)


def _view(record, labels=None):
    ramp = np.zeros((24, 26), np.float32)
    ramp[12:22, 4:14] = 0.5  # right half, lower half
    return SliceView(record, ramp, ramp * 2, ramp, True, ramp, labels)


@pytest.mark.parametrize("narrow", [False, True])
def test_curve_shows_threshold_and_decisions_where_they_are(make_case, narrow):
    figure = score_curve(make_case(SCORES, threshold=1.5, blank=(5,)), narrow=narrow)
    drawn = _drawn(figure)
    assert set(drawn["threshold"].get_ydata()) == {1.5}
    assert [*zip(*drawn["rejected"].get_data(), strict=True)] == [(1, 3.0), (4, 2.0)]
    assert [*zip(*drawn["accepted"].get_data(), strict=True)] == [(0, pytest.approx(0.2)), (2, pytest.approx(0.9))]
    assert list(drawn["unknown"].get_xdata()) == [3]
    np.testing.assert_allclose(drawn["curve"].get_ydata(), [0.2, 3.0, 0.9, math.nan, 2.0, math.nan])
    low, high = figure.axes[0].get_ylim()
    assert low < 0.2 < 3.0 < high


def test_threshold_far_from_the_scores_is_in_view(make_case):
    low, high = score_curve(make_case([0.2, 0.3], threshold=40.0)).axes[0].get_ylim()
    assert low < 0.2 < 40.0 < high


def test_curve_without_threshold_draws_none_and_calls_nothing_accepted(make_case):
    drawn = _drawn(score_curve(make_case([0.2, 0.3], threshold=math.nan)))
    assert drawn.keys() == {"curve", "not checked"}


@pytest.mark.parametrize(("scores", "blank"), [([], ()), ([1.0], ()), ([2.0, 2.0], (0, 1)), ([math.nan] * 2, ())])
def test_curve_of_degenerate_cases_can_be_drawn(make_case, scores, blank):
    assert figure_to_data_uri(score_curve(make_case(scores, math.nan, blank))).startswith("data:image/png;base64,")


def test_world_positions_stand_at_their_slices(make_case):
    figure = score_curve(make_case([0.1] * 21))
    figure.draw_without_rendering()
    secondary = figure.axes[0].child_axes[0]
    low, high = figure.axes[0].get_xlim()
    assert secondary.get_xlim() == pytest.approx((low - 10.0, high - 10.0))  # slice 0 lies at -10 mm


def test_panels_have_the_second_axis_upwards_and_the_first_to_the_right(make_case):
    record = make_case([0.5]).slices[0]
    image = _pixels(slice_panels(_view(record), PLANE, {})["image"])
    height, width = image.shape[:2]
    # Away from letters and scale bar.
    assert image[int(height * 0.75), int(width * 0.7)].tolist() == pytest.approx([127] * 3, abs=2)
    assert image[int(height * 0.25), int(width * 0.7)].sum() == 0
    assert image[int(height * 0.75), int(width * 0.25)].sum() == 0


def test_accepted_slice_shows_its_labels_in_their_colors(make_case):
    record = make_case([0.5]).slices[0]
    labels = np.zeros((24, 26), np.int64)
    labels[12:22, 4:14] = 2
    image = _pixels(slice_panels(_view(record, labels), PLANE, {1: "#0000FF", 2: "#FF0000"})["segmentation"])
    red, green, blue = image[int(image.shape[0] * 0.75), int(image.shape[1] * 0.7)]
    assert red > 150 > green == blue


@pytest.mark.parametrize(("threshold", "words"), [(1.0, "rejected"), (math.nan, "not checked")])
def test_refused_slice_says_so_and_shows_no_label(make_case, threshold, words):
    record = make_case([3.0], threshold).slices[0]
    figure = slice_panels(_view(record), PLANE, {1: "#FF0000"})["segmentation"]
    assert [text.get_text() for text in figure.findobj(lambda artist: artist.get_gid() == "refusal")] == [words]
    image = _pixels(figure)
    assert (image.max(axis=-1) - image.min(axis=-1)).max() < 30  # only grays


def test_scale_bars_have_their_length(make_case):
    record = make_case([0.5]).slices[0]
    plane = Plane("LRIS", (2.0, 2.0), (slice(0, 24), slice(0, 26)))
    panels = slice_panels(_view(record), plane, {})
    for name, fraction in (("image", 20 / 48), ("spectrum", 0.2 / (1 / 2.0))):
        bar = panels[name].axes[0].lines[-1].get_xdata()
        assert bar[1] - bar[0] == pytest.approx(fraction)


def test_residual_is_scaled_to_the_common_limit(make_case):
    record = make_case([0.5]).slices[0]
    panels = slice_panels(_view(record), PLANE, {}, residual_limit=4.0)
    assert panels["residual"].axes[0].images[0].get_clim() == (0.0, 4.0)
    assert color_bar(4.0).axes[0].get_xlim() == (0.0, 4.0)


def test_drawing_leaves_the_global_state_alone(make_case):
    before = mpl.rcParams.copy()
    figure_to_data_uri(score_curve(make_case([0.5])))
    # The first look at the backend's name resolves it.
    assert {**mpl.rcParams, "backend": None} == {**before, "backend": None}
