"""What marks rejected samples: a class behind the last in logits, a label in a label map; and how it is read back."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["accepted_slices", "accepted_voxels", "mark_rejected", "with_rejected"]


def with_rejected(logits: Tensor, accepted: Tensor, blank: Tensor) -> Tensor:
    """Append the class "rejected" to logits. Can be scripted.

    - accepted: the logits as they are; "rejected" is the smallest of them less 1;
    - accepted and blank: 1 for class 0, the background, 0 for the others, -1 for "rejected";
    - not accepted: 0 for the classes, 1 for "rejected", everywhere.

    Args:
        logits: ``(B, C, *spatial)``.
        accepted: ``(B,)`` bool.
        blank: ``(B,)`` bool.

    Returns:
        ``(B, C + 1, *spatial)``.

    Example:
        >>> with_rejected(torch.tensor([[[5.0], [7.0]]]).repeat(2, 1, 1), *torch.tensor([[True, False], [False] * 2]))
        tensor([[[5.],
                 [7.],
                 [4.]],
        <BLANKLINE>
                [[0.],
                 [0.],
                 [1.]]])
    """
    zeros = logits.new_zeros([1, logits.shape[1]])
    one = torch.ones_like(zeros[:, :1])
    background = torch.cat([one, zeros[:, 1:], -one], dim=1)
    rejection = torch.cat([zeros, one], dim=1)
    constant = torch.where(accepted.unsqueeze(1), background, rejection)

    axes = [1] * (logits.dim() - 2)
    # In one layout: joined with the last class, logits in channels-last take several times as long.
    logits = logits.contiguous()
    guarded = torch.cat([logits, logits.amin(dim=1, keepdim=True) - 1.0], dim=1)
    segmented = accepted & torch.logical_not(blank)
    return torch.where(segmented.reshape([-1, 1] + axes), guarded, constant.reshape([-1, logits.shape[1] + 1] + axes))


def mark_rejected(label: Tensor, accepted: Tensor, rejected: int, slice_dim: int) -> Tensor:
    """Fill the rejected slices of a label map.

    Args:
        label: ``(C, *spatial)``.
        accepted: ``(slices,)`` bool.
        rejected: value of rejected slices.
        slice_dim: spatial axis that counts the slices, 0 is the first.

    Example:
        >>> mark_rejected(torch.tensor([[[0, 1], [1, 1]]]), torch.tensor([True, False]), 9, 0)
        tensor([[[0, 1],
                 [9, 9]]])
    """
    shape = [1] * label.ndim
    shape[1 + slice_dim] = len(accepted)
    return label.where(accepted.reshape(shape).to(label.device), torch.full_like(label, rejected))


def accepted_voxels(label: Tensor, rejected: int) -> Tensor:
    """Return bool in the shape of ``label`` ``(*spatial)``: the voxel lies in no rejected slice, on whatever grid."""
    return label != rejected


def accepted_slices(label: Tensor, rejected: int, slice_dim: int) -> Tensor:
    """Read back which slices of a label map were accepted: those without a voxel marked as rejected.

    Args:
        label: ``(C, *spatial)``.
        rejected: value of rejected slices.
        slice_dim: spatial axis that counts the slices, 0 is the first.

    Returns:
        ``(slices,)`` bool.

    Example:
        >>> accepted_slices(torch.tensor([[[0, 1], [9, 9]]]), 9, 0)
        tensor([ True, False])
    """
    return accepted_voxels(label, rejected).movedim(slice_dim + 1, 0).flatten(1).all(1)
