"""How a check fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from monai_advdefense.errors import AdvDefenseError
from monai_advdefense.messages import broken_rule

__all__ = ["CheckFailedError", "fail", "require_close", "untouched"]


class CheckFailedError(AdvDefenseError, AssertionError):
    """A check of the kit does not hold."""


def fail(subject: str, expected: object, found: object, remedy: str) -> AdvDefenseError:
    """The error of a check that does not hold, to be raised."""
    return broken_rule(subject, expected, found, remedy, error=CheckFailedError)


def require_close(subject: str, found: Tensor, wanted: Tensor, *, tolerance: float, what: str, remedy: str) -> None:
    """Raise unless ``found`` ``(B, ...)`` is ``wanted`` but for ``tolerance``, as ``what`` says.

    Raises:
        CheckFailedError: if it is not, or has another shape.
    """
    if found.shape != wanted.shape:
        raise fail(subject, f"{what}: shape {tuple(wanted.shape)}", tuple(found.shape), remedy)
    furthest = float((found - wanted).abs().max()) if found.numel() else 0.0
    if not furthest <= tolerance:
        raise fail(subject, what, f"a difference of {furthest:.3g}", remedy)


@contextmanager
def untouched(subject: str, module: nn.Module) -> Iterator[None]:
    """Raise unless weights, statistics, modes and gradients of ``module`` are the same at the end.

    Raises:
        CheckFailedError: if one of them is not.
    """
    state = {name: value.clone() for name, value in _state(module).items()}
    modes = [part.training for part in module.modules()]
    asked = [parameter.requires_grad for parameter in module.parameters()]
    gradients = [None if each.grad is None else each.grad.clone() for each in module.parameters()]
    yield
    remedy = "restore it at the end, as monai_advdefense.attacks.frozen does"
    # NaN is a value that stays, such as a threshold that was not calibrated.
    changed = [name for name, value in _state(module).items() if not _same(value, state.get(name))]
    if changed:
        raise fail(subject, "a network whose weights and statistics stay", f"changed {changed[0]}", remedy)
    if [part.training for part in module.modules()] != modes:
        raise fail(subject, "a network whose modes stay", "training and evaluation mode exchanged", remedy)
    if [parameter.requires_grad for parameter in module.parameters()] != asked:
        raise fail(subject, "a network whose parameters ask for gradients as before", "another flag", remedy)
    if not all(_same(each.grad, before) for each, before in zip(module.parameters(), gradients, strict=True)):
        raise fail(subject, "no gradient written to the network", "one", "use torch.autograd.grad")


def _state(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, also those that are not stored with the weights."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.shape == second.shape and bool(((first == second) | ((first != first) & (second != second))).all())
