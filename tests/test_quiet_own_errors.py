from __future__ import annotations

import logging

import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.quiet_own_errors import quiet_errors, quiet_own_errors


@pytest.mark.parametrize("name", ["monai.handlers.StatsHandler", "ignite.engine.engine.SupervisedEvaluator"])
@pytest.mark.parametrize(("error", "logged"), [(InputError("a: expected b"), False), (ZeroDivisionError("c"), True)])
def test_only_errors_of_others_are_logged(name, error, logged, caplog):
    quiet_own_errors()
    try:
        raise error
    except Exception:
        logging.getLogger(name).exception("Exception")
        logging.getLogger(name).info("nothing of it")
    assert bool([record for record in caplog.records if record.levelno == logging.ERROR]) is logged


def test_what_another_tells_is_not_logged_in_its_block_and_is_again_afterwards(caplog):
    logger = logging.getLogger("ignite.engine.engine.SupervisedEvaluator")
    with quiet_errors():
        logger.error("told elsewhere")
        logger.warning("not told elsewhere")
    logger.error("afterwards")
    assert [record.message for record in caplog.records] == ["not told elsewhere", "afterwards"]
