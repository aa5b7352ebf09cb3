from __future__ import annotations

import pytest

from monai_advdefense.guard.causes import CAUSES, explain


def test_every_cause_has_words_and_a_remedy_of_its_own():
    texts = {explain("reject", cause, "x") for cause in CAUSES}
    assert len(texts) == len(CAUSES) == 8
    assert all(text.startswith("do not use it: ") and "(x); " in text for text in texts)


def test_what_could_not_be_checked_is_never_called_clean():
    text = explain("not_checked", "", "score a failed")
    assert text == "could not be checked: score a failed; do not take it for clean"


def test_an_unknown_cause_is_an_error():
    with pytest.raises(KeyError):
        explain("review", "weather", "x")
