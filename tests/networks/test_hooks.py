from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from monai_advdefense.networks.hooks import copied_with_hooks, has_hooks, hooks_of


class Recorder:
    """Sees shapes; like a writer of files it cannot be copied."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = []

    def see(self, _, inputs, *output):
        self.seen.append(len(inputs[0]))


@pytest.mark.parametrize(
    "setting",
    [
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
    ],
)
def test_every_kind_of_hook_is_noticed_until_it_is_removed(setting):
    network = nn.Sequential(nn.Sequential(nn.ReLU()))
    handle = getattr(network[0][0], setting)(print)
    assert has_hooks(network)
    assert hooks_of(network[0][0]) == (print,)
    assert hooks_of(network) == ()
    handle.remove()
    assert not has_hooks(network)


def test_compiled_networks_have_none():
    assert not has_hooks(torch.jit.script(nn.Sequential(nn.ReLU())))


def test_a_copy_calls_the_same_hooks_and_can_be_given_others():
    network, recorder = nn.Sequential(nn.Conv2d(1, 1, 1)), Recorder()
    handle = network[0].register_forward_hook(recorder.see)
    copied = copied_with_hooks(network)
    copied(torch.rand(3, 1, 2, 2))
    assert recorder.seen == [3]
    copied[0].register_forward_hook(recorder.see)
    handle.remove()
    network(torch.rand(4, 1, 2, 2))
    assert recorder.seen == [3]
    copied(torch.rand(5, 1, 2, 2))
    assert recorder.seen == [3, 5, 5]
    assert copied[0].weight is not network[0].weight
