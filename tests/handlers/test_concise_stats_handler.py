import io
import logging

import pytest
from ignite.engine import Engine, Events

from monai_advdefense.errors import InputError
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
    def fail():
        raise error

    engine = Engine(lambda *_: None)
    ConciseStatsHandler(name="concise").attach(engine)
    engine.add_event_handler(Events.STARTED, fail)
    engine.run([0])


def test_bad_input_is_not_logged(log):
    with pytest.raises(InputError):
        _run_that_ends_with(InputError("weights.pt: expected weights"))
    assert log.getvalue() == ""


def test_a_bug_keeps_its_traceback(log):
    with pytest.raises(ZeroDivisionError):
        _run_that_ends_with(ZeroDivisionError("a bug"))
    assert "Traceback" in log.getvalue()
    assert "ZeroDivisionError: a bug" in log.getvalue()
