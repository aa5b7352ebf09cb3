from __future__ import annotations

from experiments.paper.names import AUTOENCODERS, COMBINED, DETECTORS, DIVERGENCE, GUARDS, PAIRS, REFORMERS


def test_the_first_16_pairs_are_those_of_table_2():
    paper = PAIRS[:16]
    assert len(set(PAIRS)) == len(PAIRS) == 18
    assert all(detector in AUTOENCODERS and reformer in AUTOENCODERS for detector, reformer in paper[:4])
    assert all("shifted" in detector for detector, _ in paper[8:])
    assert paper[12] == ("UNet shifted", "UNet")
    assert {reformer for _, reformer in paper} == set(REFORMERS) - {"UNet denoiser"}


def test_every_pair_and_guard_is_made_of_what_is_trained():
    for detector, reformer in PAIRS:
        assert detector in {*DETECTORS, DIVERGENCE, COMBINED}
        assert reformer in REFORMERS
    for name, (detector, reformer, combine) in GUARDS.items():
        assert (name, reformer) in PAIRS
        assert detector in DETECTORS
        assert combine == (name == COMBINED)
