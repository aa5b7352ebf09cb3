"""Entries that configurations consist of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

__all__ = [
    "BUNDLE_ROOT",
    "CHECK_OVERRIDES",
    "DEVICE",
    "EVAL_DIR",
    "IMPORTS",
    "OUTPUTS",
    "RESULTS",
    "SLICES",
    "WEIGHTS",
    "Entries",
    "component",
    "compose",
    "handler",
    "loader",
    "own",
    "references",
    "same",
]

Entries: TypeAlias = dict[str, Any]

# The second makes every run of monai.bundle end with its exit code and one line, whatever is wrong.
IMPORTS = [
    "$import os",
    "$import monai_advdefense.exit_code",
    "$import monai_advdefense.quiet_readers",
    "$import monai_advdefense.bundle_tools.overrides as overrides",
]
# The first of what a run initializes: a misspelt override would change nothing and say nothing.
CHECK_OVERRIDES = "$overrides.refuse_unknown_overrides()"
BUNDLE_ROOT = {"bundle_root": "."}
DEVICE = {"device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')"}
EVAL_DIR = {"output_dir": "$os.path.join(@bundle_root, 'eval')"}
WEIGHTS = "$os.path.join(@bundle_root, 'models', 'model.pt')"
# Slices that the networks take: axis 1 of RAS is coronal.
SLICES = {"slice_dim": 1, "slice_size": [192, 192], "pixdim": [1.0, 1.0, 1.0]}


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


OUTPUTS = own("runs.Outputs", **same("dataset_dir", "output_dir"))
# What handlers that write are told.
RESULTS = same("outputs", "run_log")
