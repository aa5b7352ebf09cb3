"""FC-DenseNet, "the one hundred layers tiramisu"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Norm, Pool
from torch import Tensor, nn

from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.input_size import require_multiple

__all__ = ["FCDenseNet"]


class FCDenseNet(nn.Module):
    """Fully convolutional DenseNet; the decoder upsamples only what the last dense block has added.

    The networks of the paper, by arguments (``init_features=48``, ``dropout=0.2`` in all):

    ============== =================== ===================== ===============
    network        ``down_blocks``     ``bottleneck_layers`` ``growth_rate``
    ============== =================== ===================== ===============
    FC-DenseNet56  (4, 4, 4, 4, 4)     4                     12
    FC-DenseNet67  (5, 5, 5, 5, 5)     5                     16
    FC-DenseNet103 (4, 5, 7, 10, 12)   15                    16
    ============== =================== ===================== ===============

    Args:
        spatial_dims: number of spatial dimensions, 1 to 3.
        in_channels: channels of the input image.
        out_channels: number of classes.
        down_blocks: layers of each dense block on the way down, mirrored on the way up.
        bottleneck_layers: layers of the dense block between the two ways.
        growth_rate: channels that each layer adds.
        init_features: channels of the first convolution.
        dropout: probability of dropout after each convolution of a dense block or transition down.

    Raises:
        InputError: ``down_blocks`` is empty.

    Source:
        Jegou et al., "The One Hundred Layers Tiramisu: Fully Convolutional DenseNets for Semantic Segmentation"
        (CVPR workshops 2017), section 3, tables 1 and 2.

    Example:
        >>> network = FCDenseNet(2, in_channels=1, out_channels=28, down_blocks=(1, 2), bottleneck_layers=2)
        >>> network(torch.rand(2, 1, 8, 12)).shape
        torch.Size([2, 28, 8, 12])
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        down_blocks: Sequence[int] = (4, 5, 7, 10, 12),
        bottleneck_layers: int = 15,
        growth_rate: int = 16,
        init_features: int = 48,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if len(down_blocks) == 0:
            raise broken_rule(
                "down_blocks", "at least one number of layers", "none", "(4, 4, 4, 4, 4) is FC-DenseNet56"
            )
        self.multiple = 2 ** len(down_blocks)
        convolution = Conv[Conv.CONV, spatial_dims]
        self.stem = convolution(in_channels, init_features, kernel_size=3, padding=1)

        self.down_blocks = nn.ModuleList()
        self.downs = nn.ModuleList()
        skips: list[int] = []
        channels = init_features
        for layers in down_blocks:
            self.down_blocks.append(_DenseBlock(spatial_dims, channels, layers, growth_rate, dropout))
            channels += layers * growth_rate
            skips.append(channels)
            down = _composite(spatial_dims, channels, channels, 1, dropout)
            down.append(Pool[Pool.MAX, spatial_dims](kernel_size=2))
            self.downs.append(down)

        self.bottleneck = _DenseBlock(spatial_dims, channels, bottleneck_layers, growth_rate, dropout)
        new = bottleneck_layers * growth_rate
        self.ups = nn.ModuleList()
        self.up_blocks = nn.ModuleList()
        for layers, skip in zip(reversed(down_blocks), reversed(skips), strict=True):
            self.ups.append(_up(spatial_dims, new))
            channels = new + skip
            self.up_blocks.append(_DenseBlock(spatial_dims, channels, layers, growth_rate, dropout))
            new = layers * growth_rate
        self.classifier = convolution(channels + new, out_channels, kernel_size=1)
        self.apply(_initialize)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, out_channels, *spatial)`` of ``image`` ``(B, in_channels, *spatial)``.

        Raises:
            InputError: a spatial side is not a multiple of 2 to the number of ``down_blocks``.
        """
        require_multiple(image, self.multiple)
        x = self.stem(image)
        skips: list[Tensor] = []
        for block, down in zip(self.down_blocks, self.downs):  # noqa: B905 - TorchScript knows no ``strict``
            x = torch.cat([x, block(x)], dim=1)
            skips.append(x)
            x = down(x)
        new = self.bottleneck(x)
        for up, block in zip(self.ups, self.up_blocks):  # noqa: B905
            x = torch.cat([up(new), skips.pop()], dim=1)
            new = block(x)
        logits: Tensor = self.classifier(torch.cat([x, new], dim=1))
        return logits


class _DenseBlock(nn.Module):
    """Layers that each see the input and all layers before; returns what the layers have added."""

    def __init__(self, spatial_dims: int, channels: int, layers: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _composite(spatial_dims, channels + i * growth_rate, growth_rate, 3, dropout) for i in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.layers:
            features.append(layer(torch.cat(features, dim=1)))  # noqa: PERF401 - each layer needs those before
        return torch.cat(features[1:], dim=1)


def _composite(
    spatial_dims: int, in_channels: int, out_channels: int, kernel_size: int, dropout: float
) -> nn.Sequential:
    """Batch normalisation, ReLU, convolution, dropout of single values as in the paper."""
    return nn.Sequential(
        Norm[Norm.BATCH, spatial_dims](in_channels),
        nn.ReLU(inplace=True),
        Conv[Conv.CONV, spatial_dims](in_channels, out_channels, kernel_size=kernel_size, padding=kernel_size // 2),
        nn.Dropout(dropout),
    )


def _up(spatial_dims: int, channels: int) -> nn.Module:
    """Transposed 3x3 convolution that doubles the sides."""
    up: nn.Module = Conv[Conv.CONVTRANS, spatial_dims](
        channels, channels, kernel_size=3, stride=2, padding=1, output_padding=1
    )
    return up


def _initialize(module: nn.Module) -> None:
    """HeUniform weights as in the paper, biases zero."""
    if isinstance(module, nn.modules.conv._ConvNd):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
