import sys

import pytest
from ignite.engine import Engine, Events

from monai_advdefense.handlers import ReleaseMemory
from tests.run_python import run_python

FRAGMENTED = """
import resource

from ignite.engine import Engine, Events
from monai_advdefense.handlers import ReleaseMemory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

ReleaseMemory().attach(engine := Engine(lambda engine, batch: None))
blocks = [(bytearray(100_000), bytearray(600)) for _ in range(3000)]
full = resident()
# Small blocks in use between large free ones.
small = [block[1] for block in blocks]
del blocks
before = resident()
engine.run([0])
print(full, before, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are returned on Linux alone")
def test_free_pages_between_blocks_in_use_are_returned(tmp_path):
    (tmp_path / "fragmented.py").write_text(FRAGMENTED, encoding="utf-8")
    done = run_python([str(tmp_path / "fragmented.py")])
    assert done.returncode == 0, done.stderr
    full, before, after = map(int, done.stdout.split())
    if before < full - 100e6:
        pytest.skip("this C library returns them by itself")
    assert after < full - 250e6


def test_garbage_in_cycles_is_collected():
    class Node:
        alive = 0

        def __init__(self):
            Node.alive += 1
            self.itself = self

        def __del__(self):
            Node.alive -= 1

    engine = Engine(lambda engine, batch: Node() and None)
    ReleaseMemory().attach(engine)
    engine.run([0, 1, 2])
    assert Node.alive == 0


def test_an_output_is_gone_when_the_next_batch_is_loaded():
    engine, alive = Engine(lambda engine, batch: {batch}), []

    def batches():
        for number in range(3):
            alive.append(engine.state.output)
            yield number

    ReleaseMemory().attach(engine)
    seen = []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(engine.state.output))
    engine.run(batches(), epoch_length=3)
    assert alive == [None] * 3
    assert seen == [{0}, {1}, {2}]
