"""What entries of configurations are made of: objects, references to other entries, lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

__all__ = ["Entries", "component", "compose", "handler", "loader", "own", "references", "same"]

Entries: TypeAlias = dict[str, Any]


def references(names: Iterable[str]) -> list[str]:
    """References to entries at top level."""
    return [f"@{name}" for name in names]


def same(*names: str) -> Entries:
    """Arguments that are the entries of the same names at top level."""
    return dict(zip(names, references(names), strict=True))


def compose(names: Iterable[str]) -> Entries:
    """Transforms that are entries at top level, one after the other."""
    return component("Compose", transforms=references(names))


def component(target: str, /, **arguments: Any) -> Entries:
    """An object that MONAI makes."""
    return {"_target_": target, **arguments}


def own(name: str, /, **arguments: Any) -> Entries:
    """An object of the package."""
    return component(f"monai_advdefense.{name}", **arguments)


def handler(name: str, /, **arguments: Any) -> Entries:
    """A handler of the package."""
    return own(f"handlers.{name}", **arguments)


def loader(dataset: str, batch_size: int | str, **arguments: Any) -> Entries:
    """A data loader; worker processes would lose the failures of a dataset."""
    return component("DataLoader", dataset=dataset, batch_size=batch_size, **arguments, num_workers=0)
