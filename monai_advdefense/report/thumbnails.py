"""Small pictures of many slices."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from monai_advdefense.report.case import SliceRecord
from monai_advdefense.report.slice_view import Plane

__all__ = ["thumbnail", "thumbnails_of_rejected"]

_SIDE = 80
_LEVELS = 32


def thumbnails_of_rejected(
    volume: Tensor, records: tuple[SliceRecord, ...], plane: Plane, slice_dim: int
) -> dict[int, str]:
    """A picture of each rejected slice by its number.

    Args:
        volume: preprocessed volume ``(X, Y, Z)`` in [0, 1].
        records: all slices.
        plane: how they lie in the patient.
        slice_dim: axis that counts the slices.
    """
    return {
        record.index: thumbnail(volume.select(slice_dim, record.index).float().cpu().numpy()[plane.window])
        for record in records
        if record.decision == "rejected"
    }


def thumbnail(image: NDArray[np.float32]) -> str:
    """A gray picture of at most 80 pixels a side in a ``data:`` address.

    Args:
        image: ``(H, W)`` in [0, 1], first axis to the right, second axis up.
    """
    levels = np.rint(np.clip(np.nan_to_num(image), 0, 1) * (_LEVELS - 1)) * (255 // (_LEVELS - 1))
    picture = Image.fromarray(levels.T[::-1].astype(np.uint8))
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.quantize(_LEVELS).save(buffer, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
