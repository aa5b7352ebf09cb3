from __future__ import annotations

import numpy as np


def test_facts_say_how_much_was_measured(results):
    facts = results.counted(1000)
    assert facts.items() >= results.facts.items()
    assert int(facts["clean_slices"]) == len(results.subject)
    assert int(facts["volumes"]) == len(np.unique(results.volume)) > int(facts["subjects"]) > 1
    assert facts["resamples"] == "1000"
