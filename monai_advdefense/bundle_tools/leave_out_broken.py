"""Leave out of a dataset what cannot be read, before a run that would end there."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

from monai.data import CacheDataset, Dataset

from monai_advdefense.bundle_tools.name_volumes import named
from monai_advdefense.bundle_tools.spectral_guard import flat
from monai_advdefense.errors import first_cause, own_error
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.transforms import KeepSlicesd

__all__ = ["leave_out_broken"]


def leave_out_broken(dataset: Any, run_log: RunLog, *, key: str = "image") -> None:
    """Leave items out of a dataset that cannot be loaded, or not be cut into slices for the guard.

    An engine ends at the first item that fails. Each item is loaded once more to find out. If none is good, all stay,
    so that the run tells why.

    Args:
        dataset: one of MONAI with a list of items, whose transform holds what :class:`ScreenGuard` puts into it; any
            other is left as it is.
        run_log: where the items that are left out are recorded.
        key: the image in an item.
    """
    # What is cached was loaded already.
    if not isinstance(dataset, Dataset) or isinstance(dataset, CacheDataset) or not isinstance(dataset.data, list):
        return
    transform = flat(dataset.transform)
    end = next(place for place, each in enumerate(transform.transforms, 1) if isinstance(each, KeepSlicesd))
    good, broken = [], {}
    for item in dataset.data:
        try:
            transform(dict(item), end=end)
            good.append(item)
        except Exception as error:
            source = _source(item, key)
            broken[source] = _told(source, error)
    if not good:
        return
    dataset.data = good
    for source, message in broken.items():
        run_log.attempt(source)
        run_log.fail(source, message)


def _source(item: Mapping[Hashable, Any], key: str) -> str:
    """Path of the image of an item, of several the first; an image may be put together of other entries."""
    given = item.get(key, next(iter(item.values()), ""))
    return os.path.abspath(given[0] if isinstance(given, (list, tuple)) else given)


def _told(source: str, error: Exception) -> str:
    own, first = own_error(error), first_cause(error)
    if own is not None:
        return str(named(own, [source]))
    found = f"{type(first).__name__}: {reason(first)}"
    return str(broken_rule(source, "an image that can be loaded", found, "copy or export it again"))
