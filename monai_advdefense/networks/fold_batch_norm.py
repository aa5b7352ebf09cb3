"""Batch normalization folded into the convolution before it, in memory."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from monai.networks.blocks import ADN, Convolution
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from monai_advdefense.messages import broken_rule
from monai_advdefense.networks.hooks import copied_with_hooks, hooks_of

__all__ = ["fold_batch_norm"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Copy a network for inference, each batch normalization folded into the convolution before it.

    Folded are MONAI's ``Convolution`` blocks that normalize first (``adn_ordering`` "NDA", the default) and pairs of
    convolution and normalization in an ``nn.Sequential``, without hooks; all else is copied as it is, and hooks are
    called as before. The copy computes the same but for rounding (some 1e-6 of the largest value). It is for inference
    alone: its state dict is another than the network's and fits no checkpoint.

    Args:
        network: in evaluation mode; left as it is.

    Returns:
        The copy, in evaluation mode; its parameters need no gradient.

    Raises:
        InputError: the network is in training mode, in which normalization depends on the batch.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> fold_batch_norm(network)
        Sequential(
          (0): Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))
          (1): Identity()
          (2): ReLU()
        )
    """
    if any(module.training for module in network.modules()):
        raise broken_rule("network", "evaluation mode", "training mode", "call network.eval() first")
    folded = copied_with_hooks(network).requires_grad_(False)
    for module in folded.modules():
        if isinstance(module, Convolution):
            _fold_block(module)
        elif isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return folded


def _fold_block(block: Convolution) -> None:
    """Fold in MONAI's block of convolution, normalization, dropout and activation."""
    adn: Any = getattr(block, "adn", None)
    # A subclass may do something else in between.
    normalized_first = type(block) is Convolution and type(adn) is ADN and next(iter(adn._modules), "") == "N"
    if normalized_first and _fold_pair(block.conv, adn.N):
        del adn.N


def _fold_sequence(sequence: nn.Sequential) -> None:
    names = list(sequence._modules)
    for first, second in pairwise(names):
        if _fold_pair(sequence._modules[first], sequence._modules[second]):
            sequence._modules[second] = nn.Identity()


def _fold_pair(convolution: Any, norm: Any) -> bool:
    """Fold a normalization by stored statistics into a convolution; True if these are such a pair."""
    if type(convolution) not in _CONVOLUTIONS or type(norm) not in _NORMS or norm.running_mean is None:
        return False
    # They may do anything with weights or values in between: pruning and weight normalization make weights anew.
    if hooks_of(convolution) or hooks_of(norm):
        return False
    transposed = isinstance(convolution, nn.modules.conv._ConvTransposeNd)
    if transposed and convolution.groups > 1:  # torch scales the wrong axis of such weights
        return False
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=transposed,
    )
    return True
