"""One volume or image of a report, as the network sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_advdefense.guard.blank import is_blank
from monai_advdefense.messages import broken_rule
from monai_advdefense.robustness.settings import Settings

__all__ = ["Case", "case_of"]


@dataclass(frozen=True, eq=False)
class Case:
    """One volume or image.

    Attributes:
        name: what a reader calls it.
        subject: whose it is; intervals are over subjects.
        image: ``(B, C, *spatial)``: the slices of a volume, or the volume itself.
        label: classes ``(B, *spatial)``, or of a sigmoid 0 and 1 ``(B, L, *spatial)``; None if it is not known.
    """

    name: str
    subject: str
    image: Tensor
    label: Tensor | None

    @property
    def sha256(self) -> str:
        """Checksum of image and label."""
        digest = hashlib.sha256()
        for tensor in (self.image, self.label):
            if tensor is not None:
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


def case_of(item: Mapping[str, Any], number: int, settings: Settings) -> Case:
    """Take the case out of an item of a data set.

    Args:
        item: ``image`` ``(C, *spatial)`` and, if they are known, ``label`` ``(*spatial)``, ``(1, *spatial)`` or, of a
            sigmoid, ``(L, *spatial)``, ``subject`` and ``name``.
        number: of the item.
        settings: how it is cut into slices.

    Raises:
        InputError: if there is no image, a value is not finite, or image and label do not fit.
    """
    if not isinstance(item, Mapping) or "image" not in item:
        found = ", ".join(map(str, item)) if isinstance(item, Mapping) else type(item).__name__
        raise broken_rule(f"data[{number}]", "an entry 'image'", found or "none", "name the image 'image'")
    name = str(item.get("name") or _file_name(item["image"]) or f"case {number}")
    image = _numbers(item["image"], name, "an image").float()
    small = image.ndim < 3 or not image.numel()
    if small or not bool(torch.isfinite(image).all()):
        found = f"shape {tuple(image.shape)}" if small else "NaN or infinity"
        raise broken_rule(name, "an image (C, *spatial) of finite values", found, "mend the image or its transforms")
    label = None if item.get("label") is None else _label(item["label"], image, name, settings.activation)
    image, label = _slices(image, label, settings, name)
    return Case(name, str(item.get("subject", name)), image, label)


def _file_name(image: Any) -> str:
    """Name of the file that a MetaTensor was read from; empty if there is none."""
    path = getattr(image, "meta", {}).get("filename_or_obj", "")
    return "" if not isinstance(path, str) else path.replace("\\", "/").rsplit("/", 1)[-1]


def _label(given: Any, image: Tensor, name: str, activation: str) -> Tensor:
    """Labels ``(1 or L, *spatial)`` of whole numbers."""
    label = _numbers(given, name, "a label")
    label = label.unsqueeze(0) if label.ndim == image.ndim - 1 else label
    if label.shape[1:] != image.shape[1:] or not len(label) or (activation == "softmax" and len(label) != 1):
        rule = f"a label (1, *spatial) of the size {tuple(image.shape[1:])}"
        remedy = "apply the same transforms to it; for one channel per structure set activation to sigmoid"
        raise broken_rule(name, rule, tuple(label.shape), remedy)
    # Double precision holds the classes of every type, and every type can become it.
    exact = label.double()
    whole = exact.round().long()
    if not bool((whole == exact).all()) or int(whole.min()) < 0:
        raise broken_rule(name, "a label of whole numbers from 0 on", "others", "resample it by nearest neighbour")
    if activation == "sigmoid" and (highest := int(whole.max())) > 1:
        remedy = "give one channel for each structure, or set activation to softmax"
        raise broken_rule(name, "a label of 0 and 1 for a sigmoid", f"one with {highest}", remedy)
    return whole


def _numbers(given: Any, name: str, what: str) -> Tensor:
    """Real numbers as a plain tensor."""
    try:
        # Torch takes no views that run backwards, as of np.flip.
        array = np.ascontiguousarray(given) if isinstance(given, np.ndarray) else given
        tensor = torch.as_tensor(array).as_subclass(Tensor).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        found = f"a {type(given).__name__}"
        raise broken_rule(name, f"{what} of numbers", found, "load it in the transforms") from error
    if tensor.is_complex():
        raise broken_rule(name, f"{what} of real numbers", str(tensor.dtype), "take its magnitude")
    return tensor


def _slices(image: Tensor, label: Tensor | None, settings: Settings, name: str) -> tuple[Tensor, Tensor | None]:
    """Cut a volume into slices that are not blank, or add the batch axis."""
    if settings.slice_dim is None:
        return image.unsqueeze(0), None if label is None else _batched(label.unsqueeze(0), settings.activation)
    if settings.slice_dim > image.ndim - 2:
        rule = f"an image with the axis {settings.slice_dim} of its slices"
        raise broken_rule(name, rule, f"shape {tuple(image.shape)}", "set slice_dim to an axis; 0 is the first")
    cut = image.movedim(settings.slice_dim + 1, 0)
    cut_label = None if label is None else label.movedim(settings.slice_dim + 1, 0)
    filled = (~is_blank(cut)).nonzero().flatten()
    if not len(filled):
        raise broken_rule(name, "a slice that is not blank", "none", "leave it out")
    wanted = min(settings.slices or len(filled), len(filled))
    chosen = filled[[(2 * part + 1) * len(filled) // (2 * wanted) for part in range(wanted)]]
    label = None if cut_label is None else _batched(cut_label[chosen], settings.activation)
    return cut[chosen].contiguous(), label


def _batched(label: Tensor, activation: str) -> Tensor:
    """Labels without the axis of channels, unless they have one for each structure."""
    return label.contiguous() if activation == "sigmoid" else label[:, 0].contiguous()
