from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from monai_advdefense.errors import CalibrationError, InputError
from monai_advdefense.guard.causes import CAUSES
from monai_advdefense.guard.verdict import (
    VERDICTS,
    VolumeReference,
    fit_volume_reference,
    volume_statistics,
    volume_verdict,
)

NAMES = ("texture", "blur", "pose")
WHY = ("fine_pattern", "smooth", "anatomy")


def clean_volumes(count, slices=120, seed=0):
    generator = torch.Generator().manual_seed(seed)
    offsets = 0.3 * torch.randn(count, 1, 1, generator=generator)
    return list(torch.randn(count, slices, len(NAMES), generator=generator) + offsets)


def rejections(volumes):
    return [volume.amax(1) > 2.4 for volume in volumes]


@pytest.fixture(scope="module")
def reference():
    volumes = clean_volumes(39)
    return fit_volume_reference(volumes, rejections(volumes), [str(i) for i in range(39)], names=NAMES, causes=WHY)


def verdict(volume, reference, names=NAMES, judged=None):
    judged = torch.ones(len(volume), dtype=torch.bool) if judged is None else judged
    return volume_verdict(volume, volume.amax(1) > 2.4, judged, names=names, reference=reference)


def test_clean_volumes_are_clean_although_some_of_their_slices_are_rejected(reference):
    found = [verdict(volume, reference) for volume in clean_volumes(39)]
    assert np.mean([item.rejected > 0 for item in found if item.verdict == "clean"]) > 0.5
    assert np.mean([item.rejected for item in found]) == pytest.approx(found[0].expected_rejected)


@pytest.mark.parametrize("count", [19, 39])
def test_the_asked_rate_of_clean_volumes_is_called_other_than_clean(count):
    """On average over calibrations: one calibration alone may be off."""
    others = []
    for seed in range(12):
        volumes = clean_volumes(count, seed=100 + seed)
        subjects = [str(i) for i in range(count)]
        found = fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY)
        others += [verdict(volume, found).verdict != "clean" for volume in clean_volumes(50, seed=seed)]
    assert 0.02 < np.mean(others) < 0.08


def test_clean_p_values_are_uniform_or_larger(reference):
    """Conformal: a share of at most u of clean volumes has a p-value of at most u."""
    found = torch.tensor([verdict(volume, reference).p_value for volume in clean_volumes(400, seed=2)])
    for share in (0.05, 0.1, 0.25, 0.5):
        assert (found <= share).float().mean() <= share + 3 * math.sqrt(share / 400) + 0.05


@pytest.mark.parametrize(("column", "cause"), enumerate(WHY))
@pytest.mark.parametrize(("spoilt", "by"), [(slice(None), 4.0), (slice(0, 120, 10), 8.0), (slice(50, 52), 30.0)])
def test_a_spoilt_volume_is_not_clean_and_the_cause_is_that_of_its_score(reference, column, cause, spoilt, by):
    volume = clean_volumes(1, seed=3)[0]
    volume[spoilt, column] += by
    found = verdict(volume, reference)
    assert found.verdict in ("review", "reject")
    assert found.p_value == 1 / 40
    assert (found.cause, found.score) == (cause, NAMES[column])
    assert f"{found.rejected} of 120 slices rejected" in found.explanation


def test_every_verdict_comes_up_as_scores_rise_and_they_never_get_better(reference):
    volume = clean_volumes(1, seed=4)[0]
    seen = [verdict(volume + shift, reference) for shift in torch.linspace(0, 12, 60)]
    ranks = [VERDICTS.index(item.verdict) for item in seen]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}
    assert [item.p_value for item in seen] == sorted((item.p_value for item in seen), reverse=True)


@pytest.mark.parametrize("seed", range(30))
def test_a_higher_score_of_any_slice_or_one_more_rejection_never_makes_a_verdict_better(reference, seed):
    generator = torch.Generator().manual_seed(seed)
    volume = clean_volumes(1, slices=30, seed=seed)[0] * 3
    rejected, judged = volume.amax(1) > 2.4, torch.rand(30, generator=generator) > 0.2
    before = volume_verdict(volume, rejected, judged, names=NAMES, reference=reference)
    raised = volume + 6 * torch.rand(volume.shape, generator=generator) ** 4
    more = rejected | (torch.rand(30, generator=generator) > 0.9)
    for after in (
        volume_verdict(raised, rejected, judged, names=NAMES, reference=reference),
        volume_verdict(volume, more, judged, names=NAMES, reference=reference),
    ):
        assert VERDICTS.index(after.verdict) >= VERDICTS.index(before.verdict)
        assert after.p_value <= before.p_value
        assert after.rejected >= before.rejected


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", range(3))
def test_a_score_that_is_not_finite_is_not_checked_whatever_the_others_say(reference, value, column):
    for shift in (-20.0, 0.0, 20.0):
        volume = clean_volumes(1, seed=5)[0] + shift
        volume[17, column] = value
        found = verdict(volume, reference)
        assert (found.verdict, found.cause, found.score) == ("not_checked", "", NAMES[column])
        assert math.isnan(found.p_value)
        assert "failed" in found.explanation


def test_a_missing_score_no_judged_slice_no_slice_and_no_calibration_are_not_checked(reference):
    volume = clean_volumes(1, seed=6)[0]
    assert verdict(volume[:, :2], reference, names=NAMES[:2]).score == "pose"
    nothing = torch.zeros(len(volume), dtype=torch.bool)
    for found in (
        verdict(volume[:, :2], reference, names=NAMES[:2]),
        verdict(volume, reference, judged=nothing),
        verdict(volume[:0], reference),
        verdict(volume, None),
    ):
        assert found.verdict == "not_checked"
        assert not found.cause
        assert "do not take it for clean" in found.explanation


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("field", ["center", "scale", "subjects"])
def test_a_calibration_that_is_not_finite_is_none(reference, field, value):
    broken = dataclasses.replace(reference, **{field: tuple(value for _ in getattr(reference, field))})
    found = verdict(clean_volumes(1, seed=6)[0] + 20, broken)
    assert found.verdict == "not_checked"
    assert "not calibrated" in found.explanation


def test_slices_that_are_not_judged_do_not_count(reference):
    volume = clean_volumes(1, seed=7)[0]
    judged = torch.arange(len(volume)) < 100
    spoilt = volume.clone()
    spoilt[100:] = math.nan
    assert verdict(spoilt, reference, judged=judged) == verdict(volume, reference, judged=judged)
    assert verdict(volume, reference, judged=judged).judged == 100


def test_scores_are_found_by_name_and_further_ones_do_not_count(reference):
    volume = clean_volumes(1, seed=8)[0]
    volume[:, 2] += 5
    other = torch.cat([volume.flip(1), torch.full((len(volume), 1), math.nan)], 1)
    rejected, judged = volume.amax(1) > 2.4, torch.ones(len(volume), dtype=torch.bool)
    expected = volume_verdict(volume, rejected, judged, names=NAMES, reference=reference)
    found = volume_verdict(other, rejected, judged, names=(*NAMES[::-1], "new"), reference=reference)
    assert found == expected
    assert found.cause == "anatomy"


def test_scans_of_one_subject_count_once_by_the_worst():
    volumes = clean_volumes(40)
    subjects = [str(i // 2) for i in range(40)]
    found = fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY)
    table = torch.stack([volume_statistics(*item) for item in zip(volumes, rejections(volumes), strict=True)])
    each = [found.suspicion(row) for row in table]
    assert found.subjects == tuple(sorted(max(each[i : i + 2]) for i in range(0, 40, 2)))
    assert found.p_value(max(each)) == 2 / 21
    assert found.p_value(max(each) + 1e-9) == 1 / 21


def test_a_rate_that_the_subjects_cannot_carry_is_refused_with_the_number_needed():
    volumes = clean_volumes(20)
    subjects = [str(i % 18) for i in range(20)]
    with pytest.raises(CalibrationError, match="at least 19 .* found 18: .* rate of 0.053"):
        fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY)
    fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY, rate=0.06)


def test_the_order_of_slices_and_of_volumes_does_not_matter(reference):
    volumes = clean_volumes(39)
    order = torch.randperm(39, generator=torch.Generator().manual_seed(0)).tolist()
    turned = [volumes[i].flip(0) for i in order]
    found = fit_volume_reference(turned, rejections(turned), [str(i) for i in order], names=NAMES, causes=WHY)
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        expected = getattr(reference, field.name)
        assert value == (pytest.approx(expected) if field.name not in ("scores", "causes") else expected)


@pytest.mark.parametrize(
    ("names", "causes"), [(NAMES, WHY[:2]), (("a", "a", "b"), WHY), (NAMES, ("smooth", "smooth", "weather")), ((), ())]
)
def test_names_and_causes_that_do_not_fit_are_an_error(names, causes):
    with pytest.raises(InputError, match="names, causes: expected different names"):
        fit_volume_reference(
            clean_volumes(20), rejections(clean_volumes(20)), list("a" * 20), names=names, causes=causes
        )


def test_volumes_and_shapes_that_do_not_fit_are_an_error(reference):
    volumes = clean_volumes(20)
    subjects = [str(i) for i in range(20)]
    with pytest.raises(InputError, match="one of each for each volume"):
        fit_volume_reference(volumes, rejections(volumes)[:3], subjects, names=NAMES, causes=WHY)
    for bad in (volumes[0] * math.nan, volumes[0][:0], volumes[0][:, :2]):
        with pytest.raises(InputError, match="scores of volume 0"):
            fit_volume_reference([bad, *volumes[1:]], rejections(volumes), subjects, names=NAMES, causes=WHY)
    flags = torch.ones(120, dtype=torch.bool)
    for arguments in (
        (volumes[0], flags[:5], flags),
        (volumes[0], flags, flags[:5]),
        (volumes[0][:, :2], flags, flags),
    ):
        with pytest.raises(InputError, match="scores, rejected, judged: expected"):
            volume_verdict(*arguments, names=NAMES, reference=reference)


def test_every_cause_can_be_named():
    volumes = clean_volumes(20)
    subjects = [str(i) for i in range(20)]
    for cause in CAUSES:
        causes = (cause, *[other for other in CAUSES if other != cause][:2])
        found = fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=causes)
        spoilt = volumes[0].clone()
        spoilt[:, 0] += 9
        assert verdict(spoilt, found).cause == cause


def test_a_quiet_score_that_rises_a_little_on_a_tenth_of_the_slices_is_heard_beside_loud_ones():
    volumes = [volume * torch.tensor([0.2, 1.0, 1.0]) for volume in clean_volumes(39)]
    subjects = [str(i) for i in range(39)]
    found = fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY)
    volume = clean_volumes(1, seed=9)[0] * torch.tensor([0.2, 1.0, 1.0])
    assert verdict(volume, found).verdict == "clean"
    volume[::10, 0] = 1.5
    assert verdict(volume, found).verdict != "clean"


def test_statistics_are_those_of_each_score_and_of_the_largest():
    scores = torch.tensor([[1.0, 0.0], [3.0, 9.0], [2.0, 1.0]])
    found = volume_statistics(scores, torch.tensor([False, True, False])).tolist()
    assert found == pytest.approx([2.5, 5.0, 5.5, 3.0, 9.0, 9.0, 2.0, 1.0, 2.0, 1 / 3])


@pytest.mark.parametrize(
    ("limit", "score", "wanted"),
    [
        (2.0, 2.0, "clean"),
        (2.0, 2.001, "review"),
        (2.0, 4.0, "review"),
        (2.0, 4.001, "reject"),
        (0.5, 0.501, "review"),
        (0.5, 2.0, "review"),
        (0.5, 2.001, "reject"),
    ],
)
def test_a_verdict_changes_beyond_the_limit_of_clean_volumes_and_beyond_twice_that_or_2(limit, score, wanted):
    """Every statistic of a volume with one score in all slices is that score."""
    subjects = tuple(limit * rank / 19 for rank in range(1, 20))
    reference = VolumeReference(("texture",), ("fine_pattern",), 0.0, (0.0,) * 7, (1.0,) * 7, subjects, 0.05)
    none = torch.zeros(5, dtype=torch.bool)
    found = volume_verdict(torch.full((5, 1), score), none, ~none, names=("texture",), reference=reference)
    assert found.verdict == wanted


def test_the_tenth_of_the_slices_is_rounded_up():
    """Of 21 slices the two largest and the three largest."""
    scores = torch.arange(21.0)[:, None]
    assert volume_statistics(scores, torch.zeros(21, dtype=torch.bool)).tolist() == [19.5, 19.5, 19, 19, 10, 10, 0]


def test_volumes_that_are_all_alike_leave_room_for_others():
    volumes = [torch.zeros(10, 3)] * 19
    subjects = [str(i) for i in range(19)]
    found = fit_volume_reference(volumes, rejections(volumes), subjects, names=NAMES, causes=WHY)
    assert found.scale == pytest.approx((*(0.1,) * 12, 0.01))
    assert verdict(torch.zeros(10, 3), found).verdict == "clean"


def test_rejected_slices_that_are_not_judged_are_not_counted(reference):
    volume, judged = clean_volumes(1, seed=7)[0], torch.arange(120) < 100
    rejected = torch.arange(120) >= 98
    found = volume_verdict(volume, rejected, judged, names=NAMES, reference=reference)
    assert (found.judged, found.rejected) == (100, 2)
