from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.testing import CheckFailedError
from monai_advdefense.testing.failure import untouched


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.register_buffer("calls", torch.zeros(1), persistent=False)
        self.register_buffer("threshold", torch.tensor(float("nan")))


def test_earlier_gradients_and_nan_may_stay():
    module = Counting()
    module.layer(torch.ones(1, 1)).sum().backward()
    with untouched("module", module):
        module.layer(torch.ones(1, 1))


@pytest.mark.parametrize("earlier", [False, True])
def test_gradients_that_are_written_are_named(earlier):
    module = Counting()
    if earlier:
        module.layer(torch.ones(1, 1)).sum().backward()
    with pytest.raises(CheckFailedError, match="no gradient written"), untouched("module", module):
        module.layer(torch.ones(1, 1)).sum().backward()


def test_buffers_that_are_not_stored_count():
    module = Counting()
    with pytest.raises(CheckFailedError, match="found changed calls"), untouched("module", module):
        module.calls += 1
