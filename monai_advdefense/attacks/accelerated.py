"""A network made ready for many gradients of its images: the same labels in less time and memory."""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.blocks import Convolution
from monai.networks.nets import BasicUNet
from monai.networks.nets.basic_unet import UpCat
from torch import nn

from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.networks import can_be_copied, fold_batch_norm
from monai_advdefense.networks.hooks import has_hooks
from monai_advdefense.networks.pointwise import as_pointwise, is_pointwise
from monai_advdefense.networks.split_up_cat import SplitUpCat

__all__ = ["accelerated"]


def accelerated(network: nn.Module) -> nn.Module:
    """Copy a network for attacks; the network itself stays as it is.

    Batch normalization is folded into the convolutions. On the CPU convolutions of images run in channels-last layout,
    unless the network has fully connected layers, convolutions of single voxels become products of matrices, and the
    decoder of MONAI's ``BasicUNet`` does without copies of features. Logits and gradients are those of the network but
    for rounding, and hooks see the same. Prepare anew after the weights have changed. What cannot be copied,
    TorchScript and networks whose weights torch computes of others (pruning), is returned as it is; attacks take that
    as well.

    Args:
        network: that an attack takes, in any mode.

    Returns:
        The copy, in evaluation mode; its parameters need no gradient. Or ``network`` itself, in its own mode.

    Raises:
        InputError: if the network has no modes, see :func:`~monai_advdefense.attacks.frozen`.

    Example:
        >>> from monai_advdefense.attacks import fgsm
        >>> network = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3))
        >>> image, label = torch.rand(1, 1, 8, 8), torch.ones(1, 8, 8, dtype=torch.long)
        >>> fgsm(accelerated(network), image, label, epsilon=0.01).image.shape
        torch.Size([1, 1, 8, 8])
    """
    if not can_be_copied(network):
        return network
    with frozen(network):
        copied = fold_batch_norm(network)
    if any(parameter.device.type != "cpu" for parameter in copied.parameters()):
        return copied
    _use_channels_last(copied)
    for parent in list(copied.modules()):
        for name, part in parent._modules.items():
            if part is not None and is_pointwise(part):
                parent._modules[name] = as_pointwise(part)
            elif _splits(parent, part):
                parent._modules[name] = SplitUpCat(part)
    return copied


def _use_channels_last(network: nn.Module) -> None:
    """Let the convolutions of images of a network run in the layout that a CPU computes faster."""
    modules = list(network.modules())
    # Before a fully connected layer channels and pixels may be made one axis by view, which that layout does not allow.
    if not any(isinstance(module, nn.Linear) for module in modules):
        for module in modules:
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)


def _splits(parent: nn.Module, part: Any) -> bool:
    """Whether a module is a decoder block whose first convolution can take its inputs one by one."""
    if type(parent) is not BasicUNet or type(part) is not UpCat or type(part.convs.conv_0) is not Convolution:
        return False
    # Hooks may do anything with inputs and outputs: pruned convolutions make their weights anew.
    return not has_hooks(part)
