"""The reformer on the slices of one image, as array and dictionary transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends, convert_to_dst_type
from torch import nn

from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.cut_slices import join_slices
from monai_advdefense.transforms.each_key import EachKey
from monai_advdefense.transforms.guarded_channels import GuardedChannels

__all__ = ["Reform", "ReformD", "ReformDict", "Reformd"]


class Reform(Transform):
    """Push the slices of an image towards clean ones; shape, geometry and range of values stay.

    All slices are reformed, those that a detector rejects as well: a network in 3-D sees them beside the accepted ones.
    Guarded channels keep nothing that the reformer did not see: values outside the range are clipped to it, and the
    background (0, or the lower end of ``value_range``) and what lies below it becomes background. Other channels stay
    as they are.

    Put it after :class:`~monai_advdefense.transforms.DetectAdversarial`, before anything that changes the values.

    Args:
        reformer: from slices ``(B, 1, *spatial)`` in [0, 1] to the same, put into evaluation mode;
            :func:`monai_advdefense.bundle_tools.load_reformer` gives that of a bundle. It runs on its device.
        slice_dim: spatial axis that counts the slices, 0 is the first; None takes the image as one slice.
        axcodes: orientation in which ``slice_dim`` counts and the reformer sees the slices, such as ``"RAS"``, for a
            MetaTensor in any orientation; None takes the axes as they are.
        channels: numbers of the guarded channels; None is all of them.
        value_range: values that become 0 and 1 and come back. None takes 0 to the 99.5th percentile around the voxels
            above 0, as the bundles do.
        slice_size: sides of the slices that the reformer takes: each is cropped to the foreground of the channel and
            padded; None takes slices as they are.
        batch_size: slices that are reformed at once.

    Raises:
        InputError: if an argument does not fit the image.

    Example:
        >>> import torch
        >>> reform = Reform(nn.Threshold(0.5, 0.0), slice_dim=0, value_range=(0, 100))
        >>> reform(torch.tensor([[[20.0, 80.0], [-1.0, 200.0]]]))
        tensor([[[  0.,  80.],
                 [  0., 100.]]])
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        reformer: nn.Module,
        slice_dim: int | None = None,
        *,
        axcodes: str | None = None,
        channels: Sequence[int] | None = None,
        value_range: Sequence[float] | None = None,
        slice_size: Sequence[int] | None = None,
        batch_size: int = 8,
    ) -> None:
        self.reformer = reformer
        self.guarded = GuardedChannels(slice_dim, axcodes, channels, value_range, slice_size, batch_size)

    def __call__(self, image: NdarrayOrTensor) -> NdarrayOrTensor:
        """Reformed ``image`` ``(C, *spatial)``, in its shape, type and meta data; integers become float32."""
        oriented = self.guarded.oriented(image)
        reformed = oriented.clone() if oriented.is_floating_point() else oriented.float()
        for channel, cut in self.guarded.cut(image):
            slices = cut.image.clone()
            filled = is_blank(slices).logical_not()
            if filled.any():
                slices[filled] = self.guarded.run(self.reformer, self.reformer, slices[filled])
            reformed[channel] = join_slices(cut, slices)
        back = self.guarded.oriented_back(reformed, image).contiguous()
        result: NdarrayOrTensor = convert_to_dst_type(back, image, dtype=back.dtype)[0]
        return result


class Reformd(EachKey):
    """Dictionary version of :class:`Reform`.

    Args:
        keys: keys of the images.
        reformer: see :class:`Reform`, as for ``slice_dim`` and the ``options``.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        reformer: nn.Module,
        slice_dim: int | None = None,
        *,
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, Reform(reformer, slice_dim, **options), allow_missing_keys)


ReformD = ReformDict = Reformd
