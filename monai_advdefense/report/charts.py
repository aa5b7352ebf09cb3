"""What the figures of reports share: colors, and how they are put into a page."""

from __future__ import annotations

import base64
import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from monai_advdefense.report.case import Decision

__all__ = ["DECISION_COLORS", "INK", "drawing_to_data_uri", "figure_to_data_uri", "picture_to_data_uri"]

INK = "#1f2933"
DECISION_COLORS: dict[Decision, str] = {
    "accepted": "#0072B2",
    "rejected": "#C2410C",
    "not_checked": "#7b8794",
    "not_judged": "#7b8794",
    "blank": "#7b8794",
}


def figure_to_data_uri(figure: Figure) -> str:
    """Encode a figure of matplotlib as PNG of at most 256 colors in a ``data:`` address."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return picture_to_data_uri(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(256))


def picture_to_data_uri(picture: Image.Image) -> str:
    """Encode a picture as PNG in a ``data:`` address."""
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return _data_uri("image/png", buffer.getvalue())


def drawing_to_data_uri(drawing: str) -> str:
    """Put an SVG drawing into a ``data:`` address."""
    return _data_uri("image/svg+xml", drawing.encode())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")
