"""What lossy compression leaves of an image."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["jpeg"]


def jpeg(image: Tensor, *, quality: int) -> Tensor:
    """Write each slice of ``image`` ``(B, C, *spatial)`` in [0, 1] as JPEG with 8 bits, and read it again.

    A slice is spanned by the last two axes.

    Args:
        image: images.
        quality: from 1, the worst, to 95, as Pillow takes it.
    """
    slices = (image.clamp(0, 1) * 255).round().to(torch.uint8).cpu().reshape(-1, *image.shape[-2:]).numpy()
    read = np.stack([_written_and_read(slice_, quality) for slice_ in slices])
    return torch.from_numpy(read).to(image).div(255).view_as(image)


def _written_and_read(
    slice_: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], quality: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    file = io.BytesIO()
    Image.fromarray(slice_).save(file, format="jpeg", quality=quality)
    return np.asarray(Image.open(file))
