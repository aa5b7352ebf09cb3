import io
import sys

import pytest
from ignite.engine import Engine

from monai_advdefense.handlers import TrainingProgress


class _Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_bar_with_loss_on_a_terminal_alone(monkeypatch, terminal):
    stream = _Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    engine = Engine(lambda *_: [{"loss": 0.125}, {"loss": 0.125}])
    TrainingProgress().attach(engine)
    engine.run([0, 1, 2], max_epochs=1)
    assert ("loss=0.125" in stream.getvalue()) == terminal
    # The bar of a finished epoch is wiped away, so the last step but one is the last to be seen.
    assert ("[2/3]" in stream.getvalue()) == terminal
    assert terminal or not stream.getvalue()
