import ignite.distributed as idist
import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from torch import nn

from monai_advdefense.handlers import SyncBuffers


@pytest.fixture
def sent(monkeypatch):
    """What the first process sends, which is 7 everywhere."""
    buffers = []

    def broadcast(buffer, src):
        assert src == 0
        buffers.append(buffer)
        buffer.fill_(7)

    monkeypatch.setattr(dist, "broadcast", broadcast)
    return buffers


@pytest.mark.parametrize(("processes", "expected"), [(1, 0), (2, 7)])
def test_buffers_become_those_of_the_first_process_before_the_first_batch(sent, monkeypatch, processes, expected):
    monkeypatch.setattr(idist, "get_world_size", lambda: processes)
    network = nn.BatchNorm2d(2)
    before = {name: value.clone() for name, value in network.named_parameters()}
    seen = []
    engine = Engine(lambda engine, batch: seen.append(network.running_mean.tolist()))
    SyncBuffers(network).attach(engine)
    engine.run([0, 1])
    assert seen == [[expected] * 2] * 2
    # Once, all of them, and nothing that is learned.
    assert len(sent) == (3 if processes > 1 else 0)
    assert all(torch.equal(value, before[name]) for name, value in network.named_parameters())
