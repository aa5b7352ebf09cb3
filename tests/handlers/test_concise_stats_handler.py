import io
import logging

import pytest
from ignite.engine import Engine, Events

from monai_advdefense.errors import InputError, exit_on_error
from monai_advdefense.handlers import ConciseStatsHandler


@pytest.fixture
def log():
    """What the engine's logger writes."""
    written = io.StringIO()
    logger, handler = logging.getLogger("concise"), logging.StreamHandler(written)
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


def _run_that_ends_with(error):
    @exit_on_error
    def fail():
        raise error

    engine = Engine(lambda *_: None)
    ConciseStatsHandler(name="concise").attach(engine)
    engine.add_event_handler(Events.STARTED, fail)
    engine.run([0])


def test_bad_input_is_told_once_and_without_traceback(log, capsys):
    with pytest.raises(SystemExit) as stop:
        _run_that_ends_with(InputError("weights.pt: expected weights"))
    assert stop.value.code == 2
    assert log.getvalue() == ""
    assert capsys.readouterr().err.splitlines()[-1] == "error: weights.pt: expected weights"


def test_a_bug_keeps_its_traceback(log):
    with pytest.raises(ZeroDivisionError):
        _run_that_ends_with(ZeroDivisionError("a bug"))
    assert "Traceback" in log.getvalue()
    assert "ZeroDivisionError: a bug" in log.getvalue()
