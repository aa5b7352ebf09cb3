from __future__ import annotations

import pytest

from monai_advdefense.report.axis_ticks import axis_ticks


@pytest.mark.parametrize("ends", [(0.0, 1.0), (-1.0, 168.0), (-0.31, 2.36), (1e-7, 3e-6), (-305.4, -130.2), (0.0, 4e5)])
@pytest.mark.parametrize("intervals", [5, 12])
def test_ticks_are_even_between_the_ends_and_few(ends, intervals):
    ticks = [tick for tick, _ in axis_ticks(*ends, intervals)]
    assert 3 <= len(ticks) <= intervals + 1
    assert ends[0] <= ticks[0] < ticks[-1] <= ends[1]
    steps = {f"{after - before:.6g}" for before, after in zip(ticks, ticks[1:], strict=False)}
    assert len(steps) == 1


def test_text_is_the_number():
    for tick, text in axis_ticks(-0.31, 2.36, 5):
        assert float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(tick)
    assert [text for _, text in axis_ticks(-20, 20, 2)] == ["\N{MINUS SIGN}20", "0", "20"]


def test_slices_are_whole_numbers():
    assert [text for _, text in axis_ticks(-1.0, 2.0, 12, whole=True)] == ["\N{MINUS SIGN}1", "0", "1", "2"]
