from __future__ import annotations

import datetime
import multiprocessing

import pytest
import torch.distributed as dist

from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.runs.run_log import RunLog

PROCESSES = 3
SHARES = [
    (["a.nii", "d.nii"], [("d.nii", "d.nii: why"), ("d.nii", "d.nii: why not")]),
    (["b.nii"], [("b.nii", "b.nii: no image")]),
    ([], []),
]


def _run(rank, address, results):
    options = {"world_size": PROCESSES, "rank": rank, "timeout": datetime.timedelta(seconds=30)}
    dist.init_process_group("gloo", init_method=address, **options)
    log = RunLog()
    log.attempted, log.failures = SHARES[rank]
    log.merge()
    results.put((log.attempted, log.failures))
    dist.destroy_process_group()


def test_each_process_knows_the_volumes_of_all_though_one_had_none(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    arguments = [(rank, f"file://{tmp_path}/group", results) for rank in range(PROCESSES)]
    processes = [context.Process(target=_run, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    failures = [("b.nii", "b.nii: no image"), ("d.nii", "d.nii: why"), ("d.nii", "d.nii: why not")]
    assert found == [(["a.nii", "b.nii", "d.nii"], failures)] * PROCESSES


def test_one_process_needs_no_group():
    log = RunLog()
    log.attempt("b.nii")
    log.fail("a.nii", "why")
    log.merge()
    assert (log.attempted, log.failures) == (["b.nii"], [("a.nii", "why")])


@pytest.mark.parametrize("error", [InputError("a.csv: expected b"), OutputError("a.csv: expected b")])
def test_an_error_is_recorded_by_the_input_and_told(error, capsys):
    log = RunLog()
    with log.recorded("a.nii", "no scores"):
        raise error
    assert log.failures == [("a.nii", "a.nii: no scores: a.csv: expected b")]
    assert capsys.readouterr().err == "failed: a.nii: no scores: a.csv: expected b\n"


def test_a_defect_is_not_recorded():
    log = RunLog()
    with pytest.raises(ZeroDivisionError), log.recorded("a.nii", "no scores"):
        raise ZeroDivisionError
    assert log.failures == []


def test_a_volume_fails_once_however_many_messages_it_has(capsys):
    log = RunLog()
    for name in ("a.nii", "b.nii", "c.nii"):
        log.attempt(name)
    log.fail("b.nii", "b.nii: why")
    log.fail("b.nii", "b.nii: why not")
    assert log.reasons("b.nii") == ["b.nii: why", "b.nii: why not"]
    assert log.reasons("a.nii") == []
    with pytest.raises(InputError, match=r"^b.nii: why not \(1 of 3 volumes failed\)$"):
        log.conclude()
    assert capsys.readouterr().out == "2 of 3 volumes written, 1 failed\n"


def test_the_next_run_knows_nothing_of_the_last(capsys):
    log = RunLog()
    log.expected = 2
    log.attempt("a.nii")
    log.skip("b.nii")
    log.fail("a.nii", "a.nii: broken")
    log.clear()
    assert (log.expected, log.attempted, log.already_there, log.failures) == (0, [], [], [])
    log.conclude()
    assert "0 of 0 volumes written, 0 failed" in capsys.readouterr().out
