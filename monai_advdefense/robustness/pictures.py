"""Small pictures of what a network was shown, and what it made of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import torch
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from monai_advdefense.report.label_colors import LABEL_COLORS

__all__ = ["pictures"]

_SIDE = 128


def pictures(image: Tensor, prediction: Tensor, reference: Tensor) -> list[str]:
    """Draw the middle sample of a batch, a volume where the reference has most structures.

    Args:
        image: ``(B, C, *spatial)`` in [0, 1].
        prediction: classes ``(B, *spatial)``, or 0 and 1 for each structure ``(B, L, *spatial)``.
        reference: likewise, of the clean image; it says which slice is shown, and which part of it.

    Returns:
        The first channel, and the same with the prediction in color, as ``data:`` addresses of PNG files.
    """
    middle = len(image) // 2
    classes, known = _classes(prediction[middle], image), _classes(reference[middle], image)
    gray = image[middle, 0]
    while gray.ndim > 2:
        best = int((known > 0).flatten(0, -2).sum(0).argmax())
        gray, classes, known = gray[..., best], classes[..., best], known[..., best]
    window = tuple(_span((known > 0).any(1 - axis)) for axis in range(2))
    shades = gray[window].cpu().numpy().astype(np.float64)
    labels = classes[window].cpu().numpy()
    return [_uri(shades[..., None].repeat(3, axis=-1)), _uri(_colored(shades, labels))]


def _classes(labels: Tensor, image: Tensor) -> Tensor:
    """One class for each voxel ``(*spatial)``; of structures that overlap the last one."""
    if labels.ndim == image.ndim - 2:
        return labels
    numbers = torch.arange(1, len(labels) + 1, device=labels.device).view(-1, *[1] * (labels.ndim - 1))
    return (labels * numbers).amax(0)


def _span(filled: Tensor) -> slice:
    """From the first to the last place that is filled, with a margin of an eighth; all if none is."""
    places = filled.nonzero().flatten().tolist() or [0, len(filled) - 1]
    margin = (places[-1] - places[0]) // 8
    return slice(max(places[0] - margin, 0), places[-1] + margin + 1)


def _colored(shades: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    colored = shades[..., None].repeat(3, axis=-1)
    for label, color in _colors(labels):
        here = labels == label
        colored[here] = 0.4 * colored[here] + 0.6 * np.array(color)
    return colored


def _colors(labels: NDArray[np.int64]) -> Iterator[tuple[int, tuple[float, float, float]]]:
    for label in np.unique(labels[labels > 0]):
        yield int(label), to_rgb(LABEL_COLORS[(int(label) - 1) % len(LABEL_COLORS)])


def _uri(pixels: NDArray[np.float64]) -> str:
    """PNG with the first axis to the right and the second one up."""
    upright = np.rot90(np.clip(pixels * 255, 0, 255).round().astype(np.uint8))
    picture = Image.fromarray(np.ascontiguousarray(upright))
    picture.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    picture.quantize(64).save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
