from __future__ import annotations

import json

import pytest

from monai_advdefense.errors import BatchError, InputError
from monai_advdefense.guard.batch_alarm import batch_p_value
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.stop_rule import StopRule, conclude


@pytest.fixture
def rule(tmp_path):
    (tmp_path / "model.calibration.json").write_text(json.dumps({"volume_rate": 0.05, "subjects": 20}))
    return StopRule(tmp_path / "model.pt")


def _verdicts(flagged, volumes):
    return {"review": flagged // 2, "reject": flagged - flagged // 2, "clean": volumes - flagged}


@pytest.mark.parametrize("volumes", [10, 30, 400])
def test_the_first_number_that_clean_volumes_hardly_give_breaks_it(rule, volumes):
    broken = [rule.broken_by(_verdicts(flagged, volumes)) is not None for flagged in range(volumes + 1)]
    first = broken.index(True)
    assert broken == [flagged >= first for flagged in range(volumes + 1)]
    values = [batch_p_value(flagged, volumes, rate=0.05, subjects=20) for flagged in (first - 1, first)]
    assert values[0] >= rule.level > values[1]


def test_failed_and_unchecked_volumes_do_not_count(rule):
    assert rule.broken_by({"failed": 50, "not_checked": 50, "clean": 1}) is None
    assert rule.broken_by({}) is None
    more = rule.broken_by({**_verdicts(9, 30), "failed": 500})
    assert isinstance(more, BatchError)
    assert str(more).startswith(
        "run: expected about 5 % of the volumes to be called other than clean, found 9 of 30 (p"
    )


def test_without_a_record_nothing_is_compared(tmp_path):
    assert StopRule(tmp_path / "model.pt").broken_by(_verdicts(30, 30)) is None


def test_a_record_that_cannot_be_read_is_named(rule):
    rule.record.write_text("{}")
    with pytest.raises(InputError, match=r"model.calibration.json: expected the record of a calibration, found "):
        rule.broken_by(_verdicts(1, 2))


@pytest.mark.parametrize("fail", [False, True])
def test_an_alarm_is_told_and_raised_if_asked(fail, capsys):
    alarm = BatchError("run: expected few, found many: look at them")
    if fail:
        with pytest.raises(BatchError, match="found many"):
            conclude(RunLog(), alarm, fail=True)
    else:
        conclude(RunLog(), alarm, fail=False)
    told = capsys.readouterr()
    assert told.err == f"warning: {alarm}\n"
    assert "0 of 0 volumes written" in told.out


def test_without_an_alarm_nothing_is_told(capsys):
    conclude(RunLog(), None, fail=True)
    assert not capsys.readouterr().err
