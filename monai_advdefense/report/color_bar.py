"""The color scale of a residual."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex

from monai_advdefense.report.axis_ticks import axis_ticks
from monai_advdefense.report.slice_panels import RESIDUAL_COLORS
from monai_advdefense.report.templating import page_template

__all__ = ["color_bar"]

_STOPS = 17


def color_bar(limit: float) -> str:
    """Draw the color scale of the residual from 0 to ``limit`` as SVG."""
    shares = np.linspace(0.0, 1.0, _STOPS)
    return page_template("color_bar.svg.j2").render(
        stops=[(float(share), to_hex(colormaps[RESIDUAL_COLORS](share))) for share in shares],
        ticks=[(tick / limit, text) for tick, text in axis_ticks(0.0, limit, 5)],
    )
