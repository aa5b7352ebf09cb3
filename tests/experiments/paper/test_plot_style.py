from __future__ import annotations

import re

import pandas as pd

from experiments.paper.curve_plots import roc_plot
from experiments.paper.plot_style import encoded

NOTHING = pd.DataFrame(columns=["detector", "target", "false_positive_rate", "true_positive_rate"])


def test_same_figure_same_bytes_without_date():
    first, second = (encoded(roc_plot(NOTHING, ["UNet"])) for _ in range(2))
    assert first == second
    assert first["png"].startswith(b"\x89PNG")
    text = first["svg"].decode()
    assert not re.search(r"<dc:date>|\d{4}-\d\d-\d\dT", text)
