"""A result that cannot be written costs one volume, not the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from monai_advdefense.data.volume_dataset import VolumeDataset
from monai_advdefense.errors import InputError, OutputError
from monai_advdefense.messages import one_line, reason

__all__ = ["recorded_failure"]


@contextmanager
def recorded_failure(dataset: VolumeDataset | None, source: str, missing: str) -> Iterator[None]:
    """Record an error of the block as a failed volume, so that the run goes on with the next.

    Args:
        dataset: where to record it; None lets the error pass.
        source: path of the input volume.
        missing: what the volume has not got, such as ``"no scores"``.

    Example:
        >>> dataset = VolumeDataset([], dict)
        >>> with recorded_failure(dataset, "a.nii", "no scores"):
        ...     raise OutputError("a_scores.csv: expected to write here, found a full disk")
        >>> dataset.failures
        [('a.nii', 'a.nii: no scores: a_scores.csv: expected to write here, found a full disk')]
    """
    try:
        yield
    except (InputError, OutputError) as error:
        if dataset is None:
            raise
        dataset.fail(source, f"{one_line(source)}: {missing}: {reason(error)}")
