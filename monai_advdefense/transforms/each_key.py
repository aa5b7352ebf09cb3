"""The dictionary form of an array transform."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

__all__ = ["EachKey"]


class EachKey(MapTransform):
    """Replace what is under each key by what an array transform makes of it; base of the dictionary transforms.

    Args:
        keys: keys of the values to transform.
        transform: the array transform.
        allow_missing_keys: do not fail where a key of ``keys`` is absent.
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, keys: KeysCollection, transform: Callable[..., Any], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = transform

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Transform the value under each key."""
        result = dict(data)
        further = self.further_arguments(result)
        for key in self.key_iterator(result):
            result[key] = self.transform(result[key], *further)
        return result

    def further_arguments(self, data: Mapping[Hashable, Any]) -> Sequence[Any]:
        """What the transform takes of ``data`` beside the value under a key."""
        return ()
