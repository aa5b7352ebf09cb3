from __future__ import annotations

from xml.etree import ElementTree

import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex

from monai_advdefense.report import color_bar

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("limit", [4.0, 0.047])
def test_colors_and_numbers_stand_at_their_values(limit):
    drawing = ElementTree.fromstring(color_bar(limit))
    stops = {float(stop.get("offset")): stop.get("stop-color") for stop in drawing.iter(f"{SVG}stop")}
    assert {share: to_hex(colormaps["inferno"](share)) for share in (0.0, 0.5, 1.0)}.items() <= stops.items()
    bar = drawing.find(f"{SVG}rect")
    left, width = float(bar.get("x")), float(bar.get("width"))
    numbers = [(float(text.get("x")), float(text.text)) for text in drawing.iter(f"{SVG}text")]
    assert numbers[0] == (left, 0.0)
    assert len(numbers) > 2
    for x, value in numbers:
        assert (x - left) / width == pytest.approx(value / limit, abs=1e-3)
