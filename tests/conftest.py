from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator

import pytest


def pytest_collection_finish() -> None:
    """Full collections, of which every run of a bundle makes some, need not go through all modules and tests."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _modules_stay() -> Iterator[None]:
    """Nor through what the tests of a file have imported."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_handlers_left() -> Iterator[None]:
    """A run of a bundle lets the root logger write to the stderr of its test, which is closed afterwards."""
    yield
    for handler in logging.root.handlers[:]:
        if type(handler) is logging.StreamHandler:
            logging.root.removeHandler(handler)


@pytest.fixture
def refuse_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the system refuse to list folders whose paths end so, whoever runs the tests."""

    def refuse_folder(ending: str) -> None:
        scandir = os.scandir

        def refuse(path):
            if str(path).endswith(ending):
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)

    return refuse_folder
