"""Labels back on the grid of the input, without resampling where the axes allow it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Invertd, InvertibleTransform
from torch import Tensor

from monai_advdefense.messages import broken_rule
from monai_advdefense.transforms.inverse_indices import InverseIndices, inverse_indices, take

__all__ = ["InvertLabelsD", "InvertLabelsDict", "InvertLabelsd"]


class InvertLabelsd(Invertd):  # type: ignore[misc]
    """``monai.transforms.Invertd`` for label maps, with nearest neighbours; labels keep their type.

    Where the axes of the input are parallel to those of the preprocessed volume, in whatever order and direction,
    labels are picked by one index for each axis, as
    :func:`~monai_advdefense.transforms.inverse_indices.inverse_indices` finds them; that takes a fraction of the time
    and memory. Everything else is left to ``Invertd``. Metadata of the labels that the volume lacks are kept.

    Args:
        keys: keys of the label maps ``(C, *spatial)``.
        transform: preprocessing that made the volume.
        orig_keys: keys of the preprocessed volumes, with their trace; as many as ``keys``, or one for all.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.

    Raises:
        InputError: the labels do not lie on the grid of the volume.
    """

    def __init__(
        self,
        keys: KeysCollection,
        transform: InvertibleTransform,
        orig_keys: KeysCollection | None = None,
        *,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(
            keys, transform, orig_keys, nearest_interp=True, to_tensor=True, allow_missing_keys=allow_missing_keys
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the labels under each key back."""
        result = dict(data)
        for key, orig_key in self.key_iterator(result, self.orig_keys):
            image, labels = result[orig_key], result[key]
            found = inverse_indices(image) if isinstance(image, MetaTensor) else None
            if found is None:
                return self._resampled(data)
            result[key] = _taken(str(key), labels, image, found)
        return result

    def _resampled(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        # Of a plain tensor Invertd would look for a trace of its own.
        traced = {key: MetaTensor(data[key].as_subclass(Tensor)) for key in self.key_iterator(dict(data))}
        result: dict[Hashable, Any] = super().__call__({**data, **traced})
        for key in self.key_iterator(result):
            result[key] = result[key].to(data[key].dtype)
            result[key].meta = {**_meta(data[key]), **result[key].meta}
        return result


def _meta(labels: Tensor) -> dict[Hashable, Any]:
    return labels.meta if isinstance(labels, MetaTensor) else {}


def _taken(name: str, labels: Tensor, image: MetaTensor, found: InverseIndices) -> MetaTensor:
    if labels.shape[1:] != image.shape[1:]:
        rule = f"labels on the grid of the volume, {tuple(image.shape[1:])}"
        remedy = "invert them before anything else changes their grid"
        raise broken_rule(name, rule, tuple(labels.shape[1:]), remedy)
    result = MetaTensor(take(labels.as_subclass(Tensor).detach(), found), meta={**_meta(labels), **image.meta})
    result.affine = found.affine
    return result


InvertLabelsD = InvertLabelsDict = InvertLabelsd
