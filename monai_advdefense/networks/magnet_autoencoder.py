"""The two small autoencoders of MagNet."""

from __future__ import annotations

from monai.networks.layers.factories import Conv, Pool
from torch import Tensor, nn

from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.input_size import require_multiple

__all__ = ["MagNetAutoencoder"]


class MagNetAutoencoder(nn.Module):
    """Autoencoder I or II of MagNet: 3x3 convolutions, each followed by a sigmoid.

    I is convolution, average-pool, two convolutions, upsample, two convolutions; II is three convolutions.

    Args:
        spatial_dims: number of spatial dimensions, 1 to 3.
        in_channels: channels of the input image.
        out_channels: channels of the reconstruction.
        variant: 1 or 2.
        features: channels between the convolutions.

    Raises:
        InputError: ``variant`` is neither 1 nor 2.

    Source:
        Meng, Chen, "MagNet: A Two-Pronged Defense against Adversarial Examples" (CCS 2017), table 2.

    Example:
        >>> import torch
        >>> MagNetAutoencoder(2, in_channels=1, out_channels=1, variant=1)(torch.rand(4, 1, 6, 8)).shape
        torch.Size([4, 1, 6, 8])
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, variant: int = 1, features: int = 3
    ) -> None:
        super().__init__()
        if variant not in (1, 2):
            raise broken_rule("variant", "1 or 2", repr(variant), "choose one of them")
        self.multiple = 2 if variant == 1 else 1
        self.layers = nn.Sequential(*_convolution(spatial_dims, in_channels, features))
        if variant == 1:
            self.layers.append(Pool[Pool.AVG, spatial_dims](kernel_size=2))
            self.layers.extend(_convolution(spatial_dims, features, features))
            self.layers.extend(_convolution(spatial_dims, features, features))
            self.layers.append(nn.Upsample(scale_factor=2))
        self.layers.extend(_convolution(spatial_dims, features, features))
        self.layers.extend(_convolution(spatial_dims, features, out_channels))

    def forward(self, image: Tensor) -> Tensor:
        """Return the reconstruction ``(B, out_channels, *spatial)`` in [0, 1] of ``image``.

        Raises:
            InputError: variant 1, and a spatial side is odd.
        """
        require_multiple(image, self.multiple)
        reconstruction: Tensor = self.layers(image)
        return reconstruction


def _convolution(spatial_dims: int, in_channels: int, out_channels: int) -> list[nn.Module]:
    """Convolution and sigmoid; initialisation of Glorot, which suits sigmoids."""
    convolution = Conv[Conv.CONV, spatial_dims](in_channels, out_channels, kernel_size=3, padding=1)
    nn.init.xavier_uniform_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return [convolution, nn.Sigmoid()]
