from __future__ import annotations

import random

from monai_advdefense.cluster.work_queue import WorkQueue

ITEMS = [{"image": f"{name}.nii"} for name in "abcdefghij"]


def _names(items):
    return "".join(item["image"][0] for item in items)


def _takes(queue, worker, count):
    return _names(queue.take(worker) for _ in range(count))


def test_workers_share_the_volumes_in_their_order():
    queue = WorkQueue(ITEMS)
    for worker in (1, 2):
        queue.begin(worker)
    taken = [_takes(queue, worker, 1) for worker in (1, 2, 2, 2, 1, 1, 2, 1, 1, 1)]
    assert "".join(taken) == "abcdefghij"
    assert queue.take(1) is None
    assert queue.take(2) is None


def test_a_worker_that_begins_anew_repeats_what_it_had_and_no_more():
    queue = WorkQueue(ITEMS)
    for worker in (1, 2):
        queue.begin(worker)
    assert (_takes(queue, 1, 2), _takes(queue, 2, 1), _takes(queue, 1, 1)) == ("ab", "c", "d")
    queue.begin(1)
    assert _takes(queue, 2, 1) == "e"
    assert _takes(queue, 1, 2) == "ab"
    # It dies once more while it repeats.
    queue.begin(1)
    assert _takes(queue, 1, 5) == "abdfg"


def test_progress_counts_what_is_finished():
    queue = WorkQueue(ITEMS[:3])
    queue.begin(1)
    queue.begin(2)
    finished = []
    for worker in (1, 2, 1, 2, 1):
        queue.take(worker)
        finished.append(queue.news().finished)
    assert finished == [0, 0, 1, 2, 3]


def test_a_volume_that_costs_too_many_workers_is_lost_and_the_others_go_on():
    queue = WorkQueue(ITEMS[:4], deaths=3)
    queue.begin(1)
    assert _takes(queue, 1, 2) == "ab"
    for _ in range(2):
        queue.begin(1)
        assert _takes(queue, 1, 2) == "ab"
    assert queue.news().lost == []
    queue.begin(1)
    assert _names(queue.news().lost) == "b"
    assert _takes(queue, 1, 3) == "acd"
    assert queue.take(1) is None


def test_a_worker_that_dies_when_it_has_ended_costs_no_volume():
    queue = WorkQueue(ITEMS[:1], deaths=1)
    queue.begin(1)
    assert _takes(queue, 1, 1) == "a"
    assert queue.take(1) is None
    queue.begin(1)
    assert queue.news().lost == []
    assert _takes(queue, 1, 1) == "a"


def test_a_worker_that_never_reaches_a_volume_is_not_started_for_ever():
    queue = WorkQueue(ITEMS[:2], deaths=3)
    assert queue.start(1)
    queue.begin(1)
    queue.take(1)
    # It goes on from there: only deaths in a row count, and each worker's are its own.
    assert [queue.start(1) for _ in range(4)] == [True, True, True, False]
    assert queue.start(2)


def test_lines_are_told_once_and_not_after_the_end():
    queue = WorkQueue(ITEMS[:1])
    queue.begin(1)
    queue.take(1)
    queue.tell(1, "stdout", "a.nii: clean")
    assert queue.news().lines == [("stdout", "a.nii: clean")]
    assert queue.take(1) is None
    queue.tell(1, "stdout", "1 of 1 volumes written")
    assert queue.news().lines == []


def test_whenever_workers_die_each_volume_is_finished_once():
    chance = random.Random(0)
    for _ in range(200):
        queue, done = WorkQueue(ITEMS, deaths=100), {1: [], 2: [], 3: []}
        running, now = set(done), dict.fromkeys(done)
        for worker in done:
            queue.begin(worker)
        while running:
            worker = chance.choice(sorted(running))
            if chance.random() < 0.2:
                queue.begin(worker)
                now[worker] = None
                continue
            if now[worker] and now[worker] not in done[worker]:
                done[worker].append(now[worker])
            item = queue.take(worker)
            now[worker] = item and item["image"]
            running -= {worker} if item is None else set()
        assert sorted(sum(done.values(), [])) == [item["image"] for item in ITEMS]
        assert queue.news().finished == len(ITEMS)
