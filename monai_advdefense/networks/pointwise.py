"""Convolution of single voxels as a product of matrices."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.networks.hooks import hooks_of

__all__ = ["Pointwise", "as_pointwise", "is_pointwise", "pointwise"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def pointwise(convolution: Any, image: Tensor) -> Tensor:
    """What :func:`is_pointwise` convolutions make of ``image`` ``(B, C, *spatial)``; channel by channel in memory.

    On one thread torch's own takes several times as long.

    Example:
        >>> convolution, image = nn.Conv2d(2, 3, 1), torch.rand(1, 2, 4, 4)
        >>> torch.allclose(pointwise(convolution, image), convolution(image), atol=1e-6)
        True
    """
    voxels = image.movedim(1, -1).flatten(1, -2).transpose(1, 2)
    output = torch.matmul(convolution.weight.flatten(1), voxels)
    if convolution.bias is not None:
        # To a view, such as the image that follows, torch would add with copies of gradients.
        output.add_(convolution.bias[:, None])
    return output.unflatten(2, image.shape[2:])


def is_pointwise(module: nn.Module) -> bool:
    """Whether a module is a convolution of 1 x 1 voxels, without strides, padding, groups or hooks."""
    if type(module) not in _CONVOLUTIONS or hooks_of(module):
        return False
    settings: Any = module
    # Padding may be a word.
    unpadded = isinstance(settings.padding, str) or not any(settings.padding)
    return unpadded and all(size == 1 for size in (*settings.kernel_size, *settings.stride, settings.groups))


class Pointwise(nn.Module):
    """A convolution that is computed by :func:`pointwise`; all else of it is as before."""

    def forward(self, image: Tensor) -> Tensor:
        """Output ``(B, K, *spatial)`` for ``image`` ``(B, C, *spatial)``, or both without B."""
        weight: Any = self.weight
        # Torch's own takes one image alone, and says what does not fit.
        if image.ndim != weight.ndim or image.shape[1] != weight.shape[1]:
            return super().forward(image)  # type: ignore[no-any-return]
        return pointwise(self, image)


class _Pointwise1d(Pointwise, nn.Conv1d):
    pass


class _Pointwise2d(Pointwise, nn.Conv2d):
    pass


class _Pointwise3d(Pointwise, nn.Conv3d):
    pass


_POINTWISE = dict(zip(_CONVOLUTIONS, (_Pointwise1d, _Pointwise2d, _Pointwise3d), strict=True))


def as_pointwise(convolution: nn.Module) -> nn.Module:
    """A :class:`Pointwise` that shares the parameters of an :func:`is_pointwise` convolution, and has its attributes.

    Example:
        >>> as_pointwise(nn.Conv2d(2, 3, 1)).out_channels
        3
    """
    # Networks may read weights, numbers of channels or anything else of their convolutions.
    result: Any = copy.copy(convolution)
    result.__class__ = _POINTWISE[type(convolution)]  # type: ignore[index]
    return result  # type: ignore[no-any-return]
