from __future__ import annotations

import re

from experiments.dice import DROP
from experiments.evaluation.page import TEXTS as EVALUATION
from experiments.paper.claims import BARS, SETTINGS
from experiments.paper.names import DETECTORS
from experiments.paper.texts import TEXTS


def test_texts_say_the_rule_by_which_slices_are_bad():
    assert f"more than {DROP:g} under that" in TEXTS["methods"]["Accepted and bad"]
    assert any(f"more than {DROP:g} below that" in words for words in EVALUATION["words"])


def test_every_setting_bar_and_detector_of_the_paper_has_its_words():
    assert list(TEXTS["settings"]) == list(SETTINGS)
    assert {detector for detector, _, _ in BARS} == set(TEXTS["bar_reasons"])
    assert list(TEXTS["paper_averages"]) == list(DETECTORS)
    assert all(set(claim) == {"text", "reading", "reason"} for claim in TEXTS["claims"].values())


def test_paragraphs_are_whole_sentences():
    paragraphs = [TEXTS["introduction"], TEXTS["noise"], *TEXTS["baselines"], *TEXTS["methods"].values()]
    paragraphs += [claim["reason"] for claim in TEXTS["claims"].values()]
    paragraphs += [*TEXTS["captions"].values(), EVALUATION["introduction"], *EVALUATION["words"]]
    for words in paragraphs:
        assert words.endswith("."), words
        assert not re.search(r"  |\n", words), words
