"""What of an image a guard looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.config.type_definitions import NdarrayOrTensor
from monai.data import MetaTensor
from monai.utils import convert_to_tensor
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.guard.cut_slices import CutSlices, cut_slices, oriented_axis, reorient, reorient_back
from monai_advdefense.messages import broken_rule
from monai_advdefense.ras_affine import ras_affine

__all__ = ["GuardedChannels"]


@dataclass(frozen=True)
class GuardedChannels:
    """Which slices of which channels a guard takes, and how; the arguments that its transforms share.

    Attributes:
        slice_dim: spatial axis that counts the slices, 0 is the first; None takes the image as one slice.
        axcodes: orientation in which ``slice_dim`` counts and the networks see the slices; None is that of the image.
        channels: numbers of the guarded channels; None is all of them.
        value_range: see :func:`~monai_advdefense.guard.cut_slices.cut_slices`, as for ``slice_size``.
        slice_size: sides of the slices.
        batch_size: slices that pass a network at once.
    """

    slice_dim: int | None
    axcodes: str | None
    channels: Sequence[int] | None
    value_range: Sequence[float] | None
    slice_size: Sequence[int] | None
    batch_size: int

    def __post_init__(self) -> None:
        check_at_least("batch_size", self.batch_size, 1)
        if self.channels is not None and len(self.channels) == 0:
            raise broken_rule("channels", "at least one channel to guard", "none", "None is all")
        if self.axcodes is not None and self.slice_dim is None:
            raise broken_rule("axcodes", "None for an image that is one slice", self.axcodes, "give slice_dim")

    def cut(self, image: NdarrayOrTensor) -> Iterator[tuple[int, CutSlices]]:
        """Number and slices of each guarded channel of ``image`` ``(C, *spatial)``, one after the other."""
        whole = self.oriented(image)
        channels = range(len(whole)) if self.channels is None else self.channels
        for channel in channels:
            if not 0 <= channel < len(whole):
                raise broken_rule(
                    "channels", f"numbers from 0 to {len(whole) - 1} for this image", channel, "0 is the first"
                )
            cut = cut_slices(
                whole[channel],
                self.slice_dim,
                value_range=self.value_range,
                slice_size=self.slice_size,
                name=_name(image),
            )
            yield channel, cut

    def oriented(self, image: NdarrayOrTensor) -> Tensor:
        """``image`` ``(C, *spatial)`` as plain tensor in the orientation of the slices."""
        if not isinstance(image, (np.ndarray, Tensor)):
            raise broken_rule("image", "an array or tensor (C, *spatial)", type(image).__name__, "load the image first")
        return self.reoriented(convert_to_tensor(image, track_meta=False), image)

    def reoriented(self, tensor: Tensor, image: NdarrayOrTensor) -> Tensor:
        """A tensor ``(C, *spatial)`` on the grid of ``image`` in the orientation of the slices."""
        return tensor if self.axcodes is None else reorient(tensor, _affine(image), self.axcodes)

    def oriented_back(self, tensor: Tensor, image: NdarrayOrTensor) -> Tensor:
        """Undo :meth:`oriented` for a tensor ``(C, *spatial)`` of the shape of its result."""
        return tensor if self.axcodes is None else reorient_back(tensor, _affine(image), self.axcodes)

    def slice_axis(self, image: NdarrayOrTensor) -> int:
        """Spatial axis of ``image`` ``(C, *spatial)``, in whatever orientation, that counts the slices."""
        axis, axes = self.slice_dim or 0, image.ndim - 1
        if not 0 <= axis < axes:
            raise broken_rule("slice_dim", f"0 to {axes - 1} for this image", axis, "0 is the first")
        tensor = convert_to_tensor(image, track_meta=False)
        return axis if self.axcodes is None else oriented_axis(tensor, _affine(image), self.axcodes, axis)

    def indices(self, image: NdarrayOrTensor) -> Tensor:
        """Index of each slice along :meth:`slice_axis` of ``image`` ``(C, *spatial)``, in the order of the slices."""
        if self.slice_dim is None:
            return torch.zeros(1, dtype=torch.int64)
        axis = self.slice_axis(image)
        sides = [length if number == axis else 1 for number, length in enumerate(image.shape[1:])]
        count = torch.arange(image.shape[1 + axis]).view(1, *sides).expand(1, *image.shape[1:])
        return self.reoriented(count, image)[0].movedim(self.slice_dim, 0).flatten(1)[:, 0]

    def centers(self, image: NdarrayOrTensor) -> Tensor:
        """Center of each slice of ``image`` ``(C, X, Y, Z)`` in RAS+ world coordinates, mm ``(S, 3)``.

        In voxels where it is no MetaTensor.
        """
        index = self.indices(image)
        voxel = ((torch.tensor(image.shape[1:]) - 1) / 2).double().repeat(len(index), 1)
        voxel[:, self.slice_axis(image)] = index.double()
        affine = _affine(image).double().cpu() if isinstance(image, MetaTensor) else torch.eye(4).double()
        return voxel @ affine[:3, :3].T + affine[:3, 3]

    def nearest(self, image: NdarrayOrTensor, centers: Tensor) -> Tensor:
        """Number of the slice of ``image`` ``(C, X, Y, Z)`` in which each of the centers ``(S, 3)`` lies, else -1."""
        axis, index = self.slice_axis(image), self.indices(image)
        affine = _affine(image) if isinstance(image, MetaTensor) else torch.eye(4)
        inverse = torch.linalg.inv(affine.double().cpu())
        voxel = (centers @ inverse[:3, :3].T + inverse[:3, 3])[:, axis].round().long()
        inside = (voxel >= 0) & (voxel < len(index))
        return torch.where(inside, index.argsort()[voxel.clamp(0, len(index) - 1)], -1)

    @torch.no_grad()
    def run(self, network: nn.Module, function: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
        """Output of a function of ``network`` for slices ``(S, 1, *spatial)``, on the device of the slices."""
        convolutions = (part for part in network.modules() if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Conv3d)))
        axes = next((part.weight.ndim - 2 for part in convolutions), image.ndim - 2)
        if image.ndim - 2 != axes:
            raise broken_rule(
                "slice_dim",
                f"slices with {axes} axes, as the network takes them",
                f"{image.ndim - 2} with `slice_dim` {self.slice_dim}",
                "give the axis that counts the slices of a volume, None for a single slice",
            )
        network.eval()
        like = next(network.parameters(), image)
        parts = image.to(like.device, like.dtype).split(self.batch_size)
        return torch.cat([function(part) for part in parts]).to(image)


def _name(image: NdarrayOrTensor) -> str:
    """The file of an image, where its meta data tell it."""
    return str(image.meta.get("filename_or_obj", "image")) if isinstance(image, MetaTensor) else "image"


def _affine(image: NdarrayOrTensor) -> Tensor:
    if not isinstance(image, MetaTensor):
        raise broken_rule(
            "axcodes",
            "an image with an affine",
            type(image).__name__,
            "give a MetaTensor, or None to take the axes as they are",
        )
    return ras_affine(image)
