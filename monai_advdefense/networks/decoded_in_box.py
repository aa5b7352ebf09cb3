"""The output of a fast BasicUNet in a box of the image, without what its decoder would compute outside of it."""

from __future__ import annotations

from typing import Any

from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from monai_advdefense.networks.hooks import has_hooks
from monai_advdefense.networks.split_up_cat import SplitUpCat

__all__ = ["Box", "can_decode_in_box", "decoded_in_box", "part_in"]

Box = tuple[slice, ...]
"""A start and a stop along each spatial axis."""

_LEVELS = 5
# Two convolutions of 3 pixels.
_REACH = 2
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Dropout, nn.Identity)


def part_in(box: Box, image: Tensor) -> Tensor:
    """View ``(..., *box)`` of ``image`` ``(..., *spatial)``."""
    places: Any = (..., *box)
    return image[places]


def can_decode_in_box(network: nn.Module, image: Tensor) -> bool:
    """Whether :func:`decoded_in_box` takes ``network`` and ``image`` ``(B, C, *spatial)``.

    The network is a ``BasicUNet`` of :func:`~monai_advdefense.attacks.accelerated` that raises features by
    deconvolution and has no normalization over the image, without hooks, which would see features of a part; sides
    are multiples of 16.
    """
    if type(network) is not BasicUNet or has_hooks(network):
        return False
    blocks = [_block(network, level) for level in range(_LEVELS - 1)]
    leaves = [leaf for block in blocks for leaf in block.modules() if not list(leaf.children())]
    local = all(type(leaf) in (*_CONVOLUTIONS, *_TRANSPOSED, *_ACTIVATIONS) for leaf in leaves)
    split = all(type(block) is SplitUpCat for block in blocks)
    return split and local and all(side % 2 ** (_LEVELS - 1) == 0 for side in image.shape[2:])


def decoded_in_box(network: Any, image: Tensor, box: Box) -> Tensor:
    """Output ``(B, K, *box)`` of a :func:`can_decode_in_box` network for ``image`` ``(B, C, *spatial)``.

    It is that of the network but for rounding: features of the encoder are computed for the whole image, and of the
    decoder what the box can see.
    """
    features = [network.conv_0(image)]
    for level in range(1, _LEVELS):
        features.append(network.get_submodule(f"down_{level}")(features[-1]))
    output: Tensor = network.final_conv(_decoded(network, features, 0, box))
    return output


def _decoded(network: nn.Module, features: list[Tensor], level: int, box: Box) -> Tensor:
    """What the decoder hands on from ``level``, in ``box`` of its size."""
    encoded = features[level]
    if level == _LEVELS - 1:
        return part_in(box, encoded)
    entered = tuple(_grown(one, side) for one, side in zip(box, encoded.shape[2:], strict=True))
    halved = tuple(slice(one.start // 2, one.stop // 2) for one in entered)
    values = _block(network, level)(_decoded(network, features, level + 1, halved), part_in(entered, encoded))
    inner = tuple(
        slice(one.start - outer.start, one.stop - outer.start) for one, outer in zip(box, entered, strict=True)
    )
    return part_in(inner, values)


def _grown(one: slice, side: int) -> slice:
    """The slice with all that two convolutions see, from an even start to an even stop."""
    start, stop = max(one.start - _REACH, 0), min(one.stop + _REACH, side)
    return slice(start - start % 2, stop + stop % 2)


def _block(network: nn.Module, level: int) -> nn.Module:
    return network.get_submodule(f"upcat_{level + 1}")
