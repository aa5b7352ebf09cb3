"""Transforms of :func:`~monai_advdefense.guard.spectrum.fft_shift_magnitude`."""

from __future__ import annotations

from monai.config import KeysCollection
from monai.config.type_definitions import NdarrayOrTensor
from monai.transforms import Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_tensor

from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.each_key import EachKey

__all__ = ["FFTShiftMagnitude", "FFTShiftMagnitudeD", "FFTShiftMagnitudeDict", "FFTShiftMagnituded"]


class FFTShiftMagnitude(Transform):
    """Scaled (logarithmic) magnitude of the spectrum of each channel, zero frequency at the centre.

    Array in, array out; tensor in, tensor out; a MetaTensor keeps its meta data.

    Args:
        spatial_dims: number of spatial axes of the image, all of which are transformed.
        shift: move the zero frequency to the centre.
        log: scaled logarithm instead of the linear magnitude, see
            :func:`~monai_advdefense.guard.spectrum.fft_shift_magnitude`.

    Example:
        >>> import torch
        >>> FFTShiftMagnitude(log=False)(torch.ones(1, 2, 2))
        tensor([[[0., 0.],
                 [0., 1.]]])
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, spatial_dims: int = 2, shift: bool = True, log: bool = True) -> None:
        self.spatial_dims = spatial_dims
        self.shift = shift
        self.log = log

    def __call__(self, image: NdarrayOrTensor) -> NdarrayOrTensor:
        """Return the spectrum of ``image`` ``(C, *spatial)``, same shape; integers become float32.

        Raises:
            InputError: ``image`` has not ``spatial_dims`` spatial axes beside its channel axis.
        """
        if image.ndim != self.spatial_dims + 1:
            raise broken_rule(
                "image",
                f"a channel axis and spatial_dims={self.spatial_dims} spatial axes",
                f"shape {tuple(image.shape)}",
                "set spatial_dims, or add the channel axis",
            )
        source = convert_to_tensor(image, track_meta=False)
        spectrum = fft_shift_magnitude(source, self.spatial_dims, self.shift, self.log)
        result: NdarrayOrTensor = convert_to_dst_type(spectrum, image, dtype=spectrum.dtype)[0]
        return result


class FFTShiftMagnituded(EachKey):
    """Dictionary version of :class:`FFTShiftMagnitude`.

    Args:
        keys: keys of the images to transform.
        spatial_dims: see :class:`FFTShiftMagnitude`, as ``shift`` and ``log``.
        shift: move the zero frequency to the centre.
        log: scaled logarithm instead of the linear magnitude.
        allow_missing_keys: do not raise if a key is missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_dims: int = 2,
        shift: bool = True,
        log: bool = True,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, FFTShiftMagnitude(spatial_dims, shift, log), allow_missing_keys)


FFTShiftMagnitudeD = FFTShiftMagnitudeDict = FFTShiftMagnituded
