"""A device that is none: it computes on the CPU, and its tensors refuse to meet those of the CPU, as on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest import mock

import torch
from monai.data import MetaTensor
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

DEVICE = torch.device("meta")
"""Named as the one device beside the CPU that every build of torch knows."""

CROSSING = {
    *("index.Tensor", "index_put.default", "index_put_.default", "_index_put_impl_.default"),
    *("copy_.default", "_to_copy.default"),
}
"""Operations that take tensors of both devices: places may lie on the CPU, and copies cross."""


# Not as an attribute: MONAI copies those from one tensor to another.
_HERE = WeakTensorKeyDictionary()


class _There(Tensor):
    """A tensor of the CPU, ``here``, that says that it lies on :data:`DEVICE`."""

    @staticmethod
    def __new__(cls, here: Tensor) -> _There:
        strides, offset = here.stride(), here.storage_offset()
        made = Tensor._make_wrapper_subclass(
            cls, here.shape, strides=strides, storage_offset=offset, dtype=here.dtype, device=DEVICE
        )
        _HERE[made] = here
        return made

    @property
    def here(self) -> Tensor:
        """The tensor of the CPU."""
        return cast(Tensor, _HERE[self])

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # A class with operations of its own has none otherwise, and MONAI's would end here.
        return super().__torch_function__(func, types, args, kwargs)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _MetaThere(MetaTensor, _There):  # type: ignore[misc]
    """One of MONAI's tensors that says that it lies on :data:`DEVICE`; its metadata stay on the CPU."""


_AS_SUBCLASS = Tensor.as_subclass


def _as_subclass(tensor: Tensor, cls: type[Tensor]) -> Tensor:
    """What a tensor is called does not move it to the other device or back."""
    meta = issubclass(cls, MetaTensor)
    if isinstance(tensor, _There):
        made = torch.ops.aten.alias.default(tensor)
        made.__class__ = _MetaThere if meta else _There
        return cast(Tensor, made)
    return _AS_SUBCLASS(tensor, MetaTensor if meta else Tensor if issubclass(cls, _There) else cls)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the tensors behind those of the device; what it gives lies where a GPU would put it."""
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    there = any(isinstance(each, _There) for each in tensors)
    target = kwargs.get("device")
    if not there and target is None:
        return func(*args, **kwargs)
    # Single numbers may stay on the CPU.
    stays = [each for each in tensors if each.ndim and not isinstance(each, _There)]
    crosses = func.__name__ in CROSSING
    if there and stays and not crosses:
        raise RuntimeError(
            f"{func}: expected all tensors on one device, found one of {tuple(stays[0].shape)} on the CPU"
        )
    behind = tree_map_only(_There, lambda each: each.here, (args, kwargs))
    found = func(*behind[0], **({**behind[1], "device": "cpu"} if target is not None else behind[1]))
    if func._schema.is_mutable:
        return args[0]
    if target is None and there:
        return return_and_correct_aliasing(func, args, kwargs, tree_map_only(Tensor, _There, found))
    return tree_map_only(Tensor, _There, found) if target is not None and torch.device(target) == DEVICE else found


class _Operations(TorchDispatchMode):
    """Sees what is made without a tensor of the device as well."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _places(index: Any) -> Any:
    """An index with lists of numbers as tensors, which torch would make on the device of that name."""
    if isinstance(index, tuple):
        return tuple(map(_places, index))
    return torch.tensor(index) if isinstance(index, list) else index


class _Numbers(TorchFunctionMode):
    """What torch does with the numbers of a tensor by no operation that could be seen."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.__getitem__, Tensor.__setitem__):
            return func(args[0], _places(args[1]), *args[2:])
        if func is Tensor.tolist:
            return func(args[0].cpu())
        if func is Tensor.new_tensor and isinstance(args[0], _There):
            return torch.tensor(args[1], dtype=args[0].dtype).to(DEVICE)
        if func is torch.tensor or (func is torch.as_tensor and not isinstance(args[0], Tensor)):
            return func(*args, **{**kwargs, "device": "cpu"}).to(kwargs.get("device"))
        return func(*args, **kwargs)


@contextmanager
def other_device() -> Iterator[torch.device]:
    """Within, tensors and networks may be sent to the device that is given."""
    autocast = torch.autocast
    # There is no autocast for it.
    there = mock.patch("torch.autocast", lambda kind, **options: autocast("cpu", **options))
    named = mock.patch.object(Tensor, "as_subclass", _as_subclass)
    with there, named, _Operations(), _Numbers():
        yield DEVICE
