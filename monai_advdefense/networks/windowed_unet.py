"""WindowedUNet: a UNet that computes only what can differ from its pass over a known background."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.hooks import has_hooks
from monai_advdefense.networks.pointwise import pointwise
from monai_advdefense.networks.window import Window

__all__ = ["WindowedUNet", "can_be_windowed"]

_LEVELS = 5
# Two convolutions of 3 x 3.
_REACH = 2
_POINTWISE = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Dropout, nn.Identity)
_LOCAL = (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, *_POINTWISE)


def can_be_windowed(network: nn.Module) -> bool:
    """Whether :class:`WindowedUNet` takes a network: MONAI's 2-D ``BasicUNet`` without normalization over the image.

    Batch normalization must be folded, see :func:`~monai_advdefense.networks.fold_batch_norm`. There must be no hooks,
    which would see features of a part.
    """
    leaves = [module for module in network.modules() if not list(module.children())]
    deconvolved = all(type(module) in _LOCAL for module in leaves)
    return type(network) is BasicUNet and deconvolved and not network.training and not has_hooks(network)


@dataclass(frozen=True)
class _Background:
    """A slice ``(1, C, H, W)``, what the encoder makes of it at every level, and the output."""

    image: Tensor
    features: tuple[Tensor, ...]
    output: Tensor


@dataclass(frozen=True)
class PartialOutput:
    """Output ``(B, C, height, width)`` in a window, and the slice ``(1, C, H, W)`` that surrounds it, if anything does.

    Outside of the window the output is that slice.
    """

    values: Tensor
    window: Window
    surroundings: Tensor | None = None

    def within(self, frame: Window) -> Tensor:
        """The output ``(B, C, *frame)`` in ``frame``, which holds the window."""
        if self.surroundings is None or frame == self.window:
            return self.values
        output = _repeated(frame.of(self.surroundings), len(self.values))
        self.window.of(output, frame).copy_(self.values)
        return output


class WindowedUNet(nn.Module):
    """MONAI's 2-D ``BasicUNet`` on images that are a known background but for a part of them.

    What the network makes of the background is computed once. Of an image, features are computed where they can differ
    from those: in the box around what differs, and around it 2 pixels more for the first level, 6, 14, 30 and 62 for
    the coarser ones; the rest is taken from the background, at borders as well. So inside the box and ``margin`` pixels
    around it the output is that of the network but for rounding. Further out it is that of the background, an
    approximation: there the network sees the object only through its coarse levels.

    An image of another size passes through the whole network, as one does that differs from every background all over.
    Layers are those of ``network``, which is in evaluation mode and must not change.

    Args:
        network: see :func:`can_be_windowed`.
        backgrounds: slices ``(1, C, H, W)``, ``H`` and ``W`` multiples of 16; each batch takes the nearest one.
        margin: pixels around the object in which the output is computed.

    Raises:
        InputError: the network is another one, or a background has another size.

    Example:
        >>> from monai_advdefense.networks import fold_batch_norm
        >>> network = BasicUNet(spatial_dims=2, features=(4, 4, 4, 4, 4, 4), norm="batch").eval()
        >>> windowed = WindowedUNet(fold_batch_norm(network), [torch.zeros(1, 1, 64, 64)])
        >>> image = torch.zeros(2, 1, 64, 64)
        >>> image[:, :, 20:30, 20:30] = 1.0
        >>> bool(((windowed(image) - network(image)).abs() < 1e-5)[:, :, 20:30, 20:30].all())
        True
    """

    def __init__(self, network: nn.Module, backgrounds: Sequence[Tensor], *, margin: int = 8) -> None:
        super().__init__()
        if not can_be_windowed(network):
            rule = "MONAI's 2-D BasicUNet in evaluation mode with batch normalization folded"
            raise broken_rule("network", rule, type(network).__name__, "use the network as it is")
        for background in backgrounds:
            if background.ndim != 4 or any(side % 2 ** (_LEVELS - 1) for side in background.shape[2:]):
                rule = "slices (1, C, H, W), H and W multiples of 16"
                raise broken_rule("backgrounds", rule, tuple(background.shape), "use the network as it is")
        self.network: Any = network
        self.margin = margin
        self._backgrounds = [self._passed(background) for background in backgrounds]

    def forward(self, image: Tensor) -> Tensor:
        """Return the output ``(B, out_channels, H, W)`` of the network for ``image`` ``(B, C, H, W)``."""
        return self.part(image).within(_whole(image))

    def part(self, image: Tensor) -> PartialOutput:
        """Compute the output for ``image`` ``(B, C, H, W)`` where it can differ from that of a background."""
        found = self._located(image)
        if found is None:
            return PartialOutput(self.network(image), _whole(image))
        window = found[0].grown(self.margin)
        return PartialOutput(self._windowed(image, *found), window, found[1].output)

    @functools.cached_property
    def backgrounds_are_class_0(self) -> bool:
        """Whether the first channel is the largest wherever only a background is seen, and all channels are finite."""
        outputs = torch.cat([background.output for background in self._backgrounds])
        return bool(torch.isfinite(outputs).all()) and not outputs.max(dim=1).indices.any()

    def _located(self, image: Tensor) -> tuple[Window, _Background] | None:
        """The nearest background and the box of what differs from it; None if that is all of the image."""
        found = None
        for background in self._backgrounds:
            box = _difference(image, background.image)
            if box is not None and (found is None or box.area < found[0].area):
                found = box, background
        return None if found is None or found[0].grown(self.margin) == _whole(image) else found

    def _passed(self, image: Tensor) -> _Background:
        features = [self.network.conv_0(image)]
        for level in range(1, _LEVELS):
            features.append(self.network.get_submodule(f"down_{level}")(features[-1]))
        decoded = features[-1]
        for level in reversed(range(_LEVELS - 1)):
            decoded = self.network.get_submodule(f"upcat_{level + 1}")(decoded, features[level])
        return _Background(image, tuple(features), self.network.final_conv(decoded))

    def _windowed(self, image: Tensor, box: Window, background: _Background) -> Tensor:
        """Output in the window around ``box``, within which the image differs from the background."""
        outputs = [box.grown(self.margin)]
        for _ in range(1, _LEVELS):
            outputs.append(outputs[-1].grown(_REACH).halved())
        features = self._encoded(image, box, background, outputs)
        decoded, frame = features[-1]
        for level in reversed(range(_LEVELS - 1)):
            decoded = self._decoded(level, decoded, frame, *features[level], outputs[level])
            frame = outputs[level]
        return pointwise(self.network.final_conv, decoded)

    def _encoded(
        self, image: Tensor, box: Window, background: _Background, outputs: Sequence[Window]
    ) -> list[tuple[Tensor, Window]]:
        """Features of each level in the window in which they are needed."""
        needed, reached = _needed_and_reached(box, outputs)
        found, frame = image, _whole(image)
        features = []
        for level in range(_LEVELS):
            computed = needed[level].shared(reached[level])
            entered = computed.grown(_REACH)
            if level:
                source = _halved(entered.doubled().of(found, frame))
                convs = self.network.get_submodule(f"down_{level}.convs")
            else:
                source, convs = entered.of(found), self.network.conv_0
            values = computed.of(convs(source), entered)
            frame = needed[level]
            found = _repeated(frame.of(background.features[level]), len(image))
            computed.of(found, frame).copy_(values)
            features.append((found, frame))
        return features

    def _decoded(
        self, level: int, decoded: Tensor, below: Window, skipped: Tensor, frame: Window, output: Window
    ) -> Tensor:
        """Features that the decoder makes in ``output`` of those of the coarser level in ``below``."""
        upcat = self.network.get_submodule(f"upcat_{level + 1}")
        entered = output.grown(_REACH)
        raised = entered.of(upcat.upsample(decoded), below.doubled())
        joined = torch.cat([entered.of(skipped, frame), raised], dim=1)
        return output.of(upcat.convs(joined), entered)


def _needed_and_reached(box: Window, outputs: Sequence[Window]) -> tuple[list[Window], list[Window]]:
    """For each level the window of the encoder's features that others take, and that which ``box`` can change."""
    reached = [box.grown(_REACH)]
    for _ in range(1, _LEVELS):
        reached.append(reached[-1].halved().grown(_REACH))
    # From the coarsest level to the finest: what the decoder takes, and what the next level takes.
    needed = [outputs[-1]]
    for level in reversed(range(_LEVELS - 1)):
        below = needed[0].shared(reached[level + 1]).grown(_REACH).doubled()
        needed.insert(0, outputs[level].grown(_REACH).joined(below))
    return needed, reached


def _whole(image: Tensor) -> Window:
    return Window(0, image.shape[-2], 0, image.shape[-1], image.shape[-2], image.shape[-1])


def _halved(image: Tensor) -> Tensor:
    """Maximum of each 2 x 2 pixels, as torch's pooling gives it, which finds their places as well and takes longer."""
    rows = torch.maximum(image[..., ::2, :], image[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _repeated(image: Tensor, number: int) -> Tensor:
    """Copy of ``image`` ``(1, C, H, W)`` for a batch, in its layout, which ``Tensor.repeat`` does not keep."""
    dense = image.stride(1) == 1
    layout = torch.channels_last if dense else torch.contiguous_format
    return image.expand(number, -1, -1, -1).clone(memory_format=layout)


def _difference(image: Tensor, background: Tensor) -> Window | None:
    """Smallest window outside of which no sample differs from the background; None for another size or no difference.

    What is not a number differs from everything.
    """
    if image.shape[1:] != background.shape[1:] or image.dtype != background.dtype or image.device != background.device:
        return None
    differs = (image != background).flatten(0, 1).any(0)
    rows, columns = differs.any(1).nonzero().flatten().tolist(), differs.any(0).nonzero().flatten().tolist()
    if not rows:
        return None
    return Window(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1, *differs.shape)
