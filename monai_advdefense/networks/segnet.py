"""SegNet: an encoder-decoder that upsamples with the indices of its own max-pooling."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.layers.factories import Conv, Norm, Pool
from torch import Tensor, nn

from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.input_size import require_multiple

__all__ = ["SegNet", "max_unpool"]

_VGG16_CONVOLUTIONS = (2, 2, 3, 3, 3)


def max_unpool(pooled: Tensor, indices: Tensor) -> Tensor:
    """Undo max-pooling of size and stride 2: each value returns to where it was the largest, all else is 0.

    In place of ``torch.nn.MaxUnpool2d``, which TorchScript cannot compile, and for any number of dimensions.

    Args:
        pooled: values ``(B, C, *spatial)``.
        indices: as ``MaxPool`` returns them, of the same shape.

    Returns:
        Tensor ``(B, C, *(2 * spatial))``.

    Example:
        >>> import torch
        >>> max_unpool(torch.tensor([[[7.0, 8.0]]]), torch.tensor([[[1, 2]]]))
        tensor([[[0., 7., 8., 0.]]])
    """
    shape = list(pooled.shape[:2]) + [2 * side for side in pooled.shape[2:]]
    return pooled.new_zeros(shape).flatten(2).scatter(2, indices.flatten(2), pooled.flatten(2)).reshape(shape)


class SegNet(nn.Module):
    """SegNet with the encoder of VGG16 (2-2-3-3-3 convolutions) and a mirrored max-unpooling decoder.

    Every 3x3 convolution but the last is followed by batch normalisation and ReLU.

    Args:
        spatial_dims: number of spatial dimensions, 1 to 3.
        in_channels: channels of the input image.
        out_channels: number of classes.
        features: channels of the five encoder stages; the default is VGG16's. A quarter of the width is
            ``(16, 32, 64, 128, 128)``.

    Raises:
        InputError: ``features`` has not five values.

    Source:
        Badrinarayanan, Kendall, Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image
        Segmentation", IEEE TPAMI 39 (2017), section 3; initialisation of He et al. (2015) as there.

    Example:
        >>> import torch
        >>> network = SegNet(2, in_channels=1, out_channels=28, features=(4, 4, 8, 8, 8))
        >>> network(torch.rand(2, 1, 64, 32)).shape
        torch.Size([2, 28, 64, 32])
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (64, 128, 256, 512, 512),
    ) -> None:
        super().__init__()
        if len(features) != len(_VGG16_CONVOLUTIONS):
            raise broken_rule("features", "five channel numbers, one per stage", tuple(features), "see the default")
        self.multiple = 2 ** len(features)
        inputs = [in_channels, *features[:-1]]
        self.encoder = nn.ModuleList(
            _stage(spatial_dims, [before] + [after] * count)
            for before, after, count in zip(inputs, features, _VGG16_CONVOLUTIONS, strict=True)
        )
        # The decoder mirrors the encoder; its last stage keeps its width and leaves the classes to ``classifier``.
        outputs = [features[0], *features[:-1]]
        counts = [_VGG16_CONVOLUTIONS[0] - 1, *_VGG16_CONVOLUTIONS[1:]]
        self.decoder = nn.ModuleList(
            _stage(spatial_dims, [before] * count + [after])
            for before, after, count in reversed(list(zip(features, outputs, counts, strict=True)))
        )
        self.pool = Pool[Pool.MAX, spatial_dims](kernel_size=2, stride=2, return_indices=True)
        self.classifier = Conv[Conv.CONV, spatial_dims](features[0], out_channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, out_channels, *spatial)`` of ``image`` ``(B, in_channels, *spatial)``.

        Raises:
            InputError: a spatial side is not a multiple of 32.
        """
        require_multiple(image, self.multiple)
        x = image
        indices: list[Tensor] = []
        for stage in self.encoder:
            x, index = self.pool(stage(x))
            indices.append(index)
        for stage in self.decoder:
            x = stage(max_unpool(x, indices.pop()))
        logits: Tensor = self.classifier(x)
        return logits


def _stage(spatial_dims: int, channels: Sequence[int]) -> nn.Sequential:
    """Convolution, batch normalisation and ReLU from each channel number to the next."""
    stage = nn.Sequential()
    for before, after in zip(channels[:-1], channels[1:], strict=True):
        convolution = Conv[Conv.CONV, spatial_dims](before, after, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        stage.extend([convolution, Norm[Norm.BATCH, spatial_dims](after), nn.ReLU(inplace=True)])
    return stage
