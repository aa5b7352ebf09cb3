"""Results on disk, named after all that they depend on."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.report.provenance import package_versions

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]

RECORD = "record"


@dataclass(frozen=True)
class Artefact:
    """A result whose place on disk tells whether it is up to date.

    The name of its file ends in a checksum of its settings; where these name the :attr:`digest` of another artefact, a
    change there changes the name here, and of nothing else.

    Attributes:
        folder: folder of results of the same kind.
        name: what a reader calls it.
        settings: all that the result depends on, as JSON.
        compute: makes the arrays of an artefact that is made of arrays.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any]
    compute: Callable[[], Arrays] = field(default=dict, compare=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """Checksum of the settings, 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def path(self) -> Path:
        """Path without a suffix, for example ``scores/UNet_shifted_0123456789abcdef``."""
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', self.name)}_{self.digest}"

    @property
    def arrays_path(self) -> Path:
        """File of an artefact that is made of arrays."""
        return Path(f"{self.path}.npz")

    def record(self) -> str:
        """Name, settings, versions of the programs and date, as JSON, to be kept with the result."""
        facts = {
            "name": self.name,
            "settings": self.settings,
            "versions": package_versions(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        return json.dumps(facts, indent=2, sort_keys=True) + "\n"

    def make(self) -> None:
        """Compute the arrays and write them with their record, whole or not at all, unless they are there."""
        if not self.arrays_path.is_file():
            arrays = self.compute()
            with atomic_path(self.arrays_path) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, **{RECORD: np.array(self.record())}, **arrays)  # type: ignore[arg-type]

    def load(self) -> Arrays:
        """Read the arrays that :meth:`make` wrote."""
        with np.load(self.arrays_path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files if name != RECORD}

    def arrays(self) -> Arrays:
        """Read the arrays, after having made them if they are not there."""
        self.make()
        return self.load()
