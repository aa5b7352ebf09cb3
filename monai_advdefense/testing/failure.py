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
    state = {name: value.clone() for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    asked = [parameter.requires_grad for parameter in module.parameters()]
    yield
    remedy = "restore it at the end, as monai_advdefense.attacks.frozen does"
    # NaN is a value that stays, such as a threshold that was not calibrated.
    changed = [name for name, value in module.state_dict().items() if not _same(value, state[name])]
    if changed:
        raise fail(subject, "a network whose weights and statistics stay", f"changed {changed[0]}", remedy)
    if [part.training for part in module.modules()] != modes:
        raise fail(subject, "a network whose modes stay", "training and evaluation mode exchanged", remedy)
    if [parameter.requires_grad for parameter in module.parameters()] != asked:
        raise fail(subject, "a network whose parameters ask for gradients as before", "another flag", remedy)
    if any(parameter.grad is not None for parameter in module.parameters()):
        raise fail(subject, "no gradient written to the network", "one", "use torch.autograd.grad")


def _same(first: Tensor, second: Tensor) -> bool:
    return bool(((first == second) | ((first != first) & (second != second))).all())
