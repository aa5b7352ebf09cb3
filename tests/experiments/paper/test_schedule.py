from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
import torch.distributed as dist

from experiments.paper import schedule
from experiments.paper.schedule import Task, Workers, plan, run


class Log:
    """Tasks that note when they ran; ``done`` are finished from the start."""

    def __init__(self, done=()):
        self.done, self.order = set(done), []

    def task(self, name, seconds=1.0):
        def execute():
            self.order.append(name)
            self.done.add(name)

        return Task(name, name, seconds, lambda: name in self.done, execute)


def test_stages_run_in_order_the_longest_task_first_and_what_is_done_not_again():
    log = Log(done=["b"])
    stages = [("one", [log.task("a", 1), log.task("b", 9), log.task("c", 5)]), ("two", [log.task("d")])]
    lines = []
    run(stages, Workers(), lines.append)
    assert log.order == ["c", "a", "d"]
    assert [line.split()[0] for line in lines] == ["2/4", "3/4", "4/4"]
    run(stages, Workers(), lines.append)
    assert log.order == ["c", "a", "d"]


def test_a_failing_task_stops_the_run_and_the_next_run_goes_on_there():
    log = Log()
    good, bad, later = (
        log.task("good", 3),
        Task("bad", "bad", 2, lambda: "bad" in log.done, lambda: 1 / 0),
        log.task("later"),
    )
    with pytest.raises(ZeroDivisionError):
        run([("one", [good, bad]), ("two", [later])], Workers(), str)
    assert log.order == ["good"]
    log.order.clear()
    run([("one", [good, log.task("bad")]), ("two", [later])], Workers(), str)
    assert log.order == ["bad", "later"]


def test_workers_share_the_tasks_and_wait_for_each_other():
    log, lock, claimed = Log(), threading.Lock(), set()

    class Shared(Workers):
        def __init__(self, rank):
            self.rank, self.count = rank, 2

        def claim(self, key):
            with lock:
                return key not in claimed and not claimed.add(key)

    first = [log.task(f"a{i}") for i in range(20)]
    second = [
        Task("b", "b", 1.0, lambda: "b" in log.done, lambda: (log.order.append("b"), log.done.add("b"))),
    ]
    ranks = [
        threading.Thread(
            target=run, args=([("one", first), ("two", second)], Shared(rank), str), kwargs={"poll": 0.001}
        )
        for rank in (0, 1)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(timeout=30)
    assert sorted(log.order[:-1]) == sorted(f"a{i}" for i in range(20))
    assert log.order[-1] == "b"


def test_the_plan_counts_what_is_left_and_divides_it_among_the_workers():
    log = Log(done=["a"])
    text = plan([("train", [log.task("a", 7200), log.task("b", 3600)]), ("attack", [log.task("c", 60)])], workers=2)
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["train", "2", "1", "0:30:00"]
    assert rows[2] == ["attack", "1", "0", "0:00:30"]
    assert text.endswith("2 processes: 0:30:30")


def test_a_process_on_its_own_needs_no_store(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(schedule, "rendezvous", lambda *_: pytest.fail("asked for a store"))
    workers = Workers()
    assert (workers.rank, workers.count) == (0, 1)
    assert workers.claim("x")
    assert workers.claim("x")


def test_of_two_processes_with_one_store_the_first_to_ask_gets_a_task(monkeypatch):
    store = dist.HashStore()
    ranks = iter([0, 1])
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(schedule, "rendezvous", lambda _: iter([(store, next(ranks), 2)]))
    first, second = Workers(), Workers()
    assert (first.rank, second.rank, second.count) == (0, 1, 2)
    assert [first.claim("a"), second.claim("a"), first.claim("a")] == [True, False, False]
    assert [second.claim("b"), first.claim("b")] == [True, False]


def test_what_is_left_is_told_by_the_pace_so_far(monkeypatch):
    """The first task takes twice as long as planned, so the others are expected to as well."""
    clock = iter([0.0, 20.0, 20.0, 25.0])
    monkeypatch.setattr(schedule, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    log, lines = Log(), []
    run([("train", [log.task("a", 10), log.task("b", 5)])], Workers(), lines.append)
    assert lines == [
        "1/2  train: a, 0:00:20; about 0:00:10 left",
        "2/2  train: b, 0:00:05; about 0:00:00 left",
    ]
