"""The rule for blank slices: those that hold no tissue."""

from __future__ import annotations

from torch import Tensor

__all__ = ["is_blank"]


def is_blank(image: Tensor, residue: float = 1e-4) -> Tensor:
    """Return ``(B,)`` bool: the sample holds no tissue. Can be scripted.

    What is not a number may hide tissue, so it is never blank.

    Resampling leaves traces of its rounding beside the tissue, up to about 1e-5 in single precision; one grey value of
    a scan of 12 bits is 2.4e-4.

    Args:
        image: ``(B, C, *spatial)``, 0 is background and 1 about the brightest tissue.
        residue: what is not above this is no tissue.

    Example:
        >>> import torch
        >>> is_blank(torch.tensor([[[0.0, 0.5]], [[0.0, 1e-7]]]))
        tensor([False,  True])
    """
    # No comparison with NaN is true.
    return (image <= residue).flatten(1).all(dim=1)
