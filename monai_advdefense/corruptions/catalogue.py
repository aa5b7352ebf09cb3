"""All corruptions with a severity from 0, nothing, to 1, the worst."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from monai_advdefense.corruptions import geometry, intensity, k_space, resolution
from monai_advdefense.corruptions.compression import jpeg
from monai_advdefense.corruptions.lesion import lesion

__all__ = ["CORRUPTIONS", "Corruption"]


@dataclass(frozen=True)
class Corruption:
    """An accident with a dial.

    Attributes:
        change: from images ``(B, C, *spatial)`` in [0, 1] and a severity in [0, 1] to changed images.
        move: what becomes of labels of the same shape, where the body is shown elsewhere or not all of it.
        graded: whether it has a dial; what has none is the same at every severity above 0.
    """

    change: Callable[[Tensor, float], Tensor]
    move: Callable[[Tensor, float], Tensor] | None = None
    graded: bool = True


def _moving(change: Callable[[Tensor, float], Tensor], *, graded: bool = True) -> Corruption:
    """A corruption that does the same to the labels."""
    return Corruption(change, move=change, graded=graded)


CORRUPTIONS: Mapping[str, Corruption] = {
    "bias field": Corruption(lambda image, s: intensity.bias_field(image, coefficient=0.6 * s)),
    "darker": Corruption(lambda image, s: intensity.scaled(image, factor=1 - s)),
    "brighter": Corruption(lambda image, s: intensity.scaled(image, factor=1 + 3 * s)),
    "gamma up": Corruption(lambda image, s: intensity.gamma_curve(image, gamma=1 + 3 * s)),
    "gamma down": Corruption(lambda image, s: intensity.gamma_curve(image, gamma=1 / (1 + 3 * s))),
    "clipped histogram": Corruption(lambda image, s: intensity.clipped_histogram(image, share=0.9 * s)),
    "inverted contrast": Corruption(lambda image, s: intensity.inverted(image, share=s)),
    "blur": Corruption(lambda image, s: resolution.blurred(image, sigma=8 * s)),
    "low resolution": Corruption(lambda image, s: resolution.low_resolution(image, zoom=1 - 0.95 * s)),
    "thick slices": Corruption(lambda image, s: resolution.thick_slices(image, thickness=1 + 19 * s)),
    "JPEG": Corruption(lambda image, s: jpeg(image, quality=round(95 - 94 * s))),
    "RF noise": Corruption(lambda image, s: k_space.rf_noise(image, sigma=0.5 * s)),
    "RF interference": Corruption(lambda image, s: k_space.rf_interference(image, amplitude=2 * s)),
    "spike in k-space": Corruption(lambda image, s: k_space.spike(image, amplitude=0.6 * s)),
    "Gibbs ringing": Corruption(lambda image, s: k_space.gibbs_ringing(image, alpha=s)),
    "ring of missing lines": Corruption(lambda image, s: k_space.missing_ring(image, width=0.4 * s)),
    "every eighth row lost": Corruption(lambda image, s: k_space.lost_rows(image, left=1 - s)),
    "ghosting": Corruption(lambda image, s: k_space.ghosted(image, gain=1 - s)),
    "rigid motion": Corruption(lambda image, s: k_space.moved(image, pixels=8 * s, degrees=8 * s)),
    "aliasing": Corruption(
        lambda image, s: k_space.aliased(image, share=0.5 * s),
        move=lambda label, s: k_space.cut_field_of_view(label, share=0.5 * s),
    ),
    "lesion": Corruption(lambda image, s: lesion(image, radius=0.3 * s * min(image.shape[2:]))),
    "missing half": _moving(lambda image, s: geometry.missing_part(image, share=0.5 * s)),
    "swapped slices": _moving(lambda image, s: geometry.swapped_slices(image, width=round(s * image.shape[-1] / 4))),
    "rotated": _moving(lambda image, s: geometry.rotated(image, degrees=90 * s)),
    "wrong spacing": _moving(lambda image, s: geometry.wrong_spacing(image, factor=1 - 0.6 * s)),
    "mirrored": _moving(lambda image, _: geometry.mirrored(image), graded=False),
    "upside down": _moving(lambda image, _: geometry.upside_down(image), graded=False),
}
"""By name; each does the same to a sample whatever the others, and the same in every call."""
