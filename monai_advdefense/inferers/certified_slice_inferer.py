"""Labels of a volume with the radius within which nothing can change them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.utils import convert_data_type
from torch import Tensor, nn

from monai_advdefense.certification.certify import certify
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.guard.optimize_for_inference import optimize_for_inference
from monai_advdefense.messages import broken_rule

__all__ = ["CertifiedSliceInferer"]


class CertifiedSliceInferer(Inferer):
    """Segments the slices of a volume by :func:`~monai_advdefense.certification.certify`.

    Reformer and segmenter of a guard vote on noisy copies of each slice; detector and decision do not run. Noise lies
    where the slice is above 0, and so does the threat: outside of it a slice is background, with radius 0 as nothing is
    claimed there. Pixels whose class is not proved get the label ``abstained``.

    Args:
        sigma: standard deviation of the noise, in units of the preprocessed image; that of the reformer's training.
        n: passes that vote.
        abstained: label of pixels that are not certified.
        spatial_dim: axis of the volume that counts the slices.
        n_select: passes that choose the class.
        alpha: chance that any pixel of a slice has a radius that is too large.
        batch_size: noisy copies in one pass.
        seed: of the noise; each slice has noise of its own.
    """

    def __init__(
        self,
        *,
        sigma: float,
        n: int,
        abstained: int,
        spatial_dim: int,
        n_select: int = 10,
        alpha: float = 0.001,
        batch_size: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.certify = partial(certify, sigma=sigma, n=n, n_select=n_select, alpha=alpha, batch_size=batch_size)
        self.abstained = abstained
        self.spatial_dim = spatial_dim
        self.seed = seed

    def __call__(self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        """Labels and radii ``(B, 2, X, Y, Z)``, float32, of volumes ``(B, 1, X, Y, Z)``.

        Raises:
            InputError: ``network`` is no guard.
        """
        if not isinstance(network, DefendedSegmenter):
            remedy = "give the guard itself, without a wrapper"
            raise broken_rule("network", "a DefendedSegmenter", type(network).__name__, remedy)
        plain: Tensor = convert_data_type(inputs, Tensor)[0]
        result: Tensor = torch.stack([self._volume(volume, network) for volume in plain])
        # Metadata of the volume, by which its geometry can be brought back.
        return result if not isinstance(inputs, MetaTensor) else MetaTensor(result).copy_meta_from(inputs)

    def _volume(self, volume: Tensor, network: DefendedSegmenter) -> Tensor:
        axis = self.spatial_dim + 1
        slices = volume.movedim(axis, 0)
        chain = _chain(network, slices[:1])
        result = torch.zeros(len(slices), 2, *slices.shape[2:], device=slices.device)
        for index in torch.nonzero(~is_blank(slices)).flatten().tolist():
            image = slices[index : index + 1].contiguous()
            generator = torch.Generator(image.device).manual_seed(self.seed + index)
            found = self.certify(chain, image, mask=image > 0, generator=generator)
            result[index, 0] = found.label[0].masked_fill(found.radius[0] == 0, self.abstained)
            result[index, 1] = found.radius[0].masked_fill(found.radius[0].isinf(), 0.0)
        return result.movedim(0, axis)


def _chain(network: DefendedSegmenter, image: Tensor) -> nn.Module:
    """Reformer and segmenter, made ready for many slices of one size."""
    with torch.no_grad():
        fast = optimize_for_inference(network, image)
    return nn.Sequential(fast.get_submodule("reformer"), fast.get_submodule("segmenter"))
