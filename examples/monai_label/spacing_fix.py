"""To be appended to main.py of MONAI Label's app monaibundle, see docs/monai-label.md.

MONAI 1.6.1's Spacingd takes every item whose name begins with "image_" for metadata of a NIfTI image. MONAI Label 0.8.5
keeps the path of the image under "image_path", so that every bundle with that transform fails on NIfTI.
"""

from collections.abc import Mapping
from typing import Any

from monai.transforms import Spacingd

_spacing = Spacingd.__call__


def _spacing_beside_path(self: Spacingd, data: Mapping[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Change the spacing with the path put aside."""
    path = {key: value for key, value in data.items() if key == "image_path"}
    rest = {key: value for key, value in data.items() if key != "image_path"}
    return {**_spacing(self, rest, *args, **kwargs), **path}


Spacingd.__call__ = _spacing_beside_path
