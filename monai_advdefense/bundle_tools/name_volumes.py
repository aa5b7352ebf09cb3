"""Errors of a run that name the volume of which they come."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_advdefense.errors import AdvDefenseError, first_cause, own_error
from monai_advdefense.messages import one_line

__all__ = ["NamingCompose", "named", "naming", "run_naming"]


def named(error: AdvDefenseError, volumes: Sequence[str]) -> AdvDefenseError:
    """An error of ours with the files of volumes in front, unless it names one of them.

    Args:
        error: the error.
        volumes: their files; empty if they are not known.

    Example:
        >>> from monai_advdefense.messages import broken_rule
        >>> str(named(broken_rule("axcodes", "a volume", "an image", "give None"), ["a.nii"]))
        'a.nii: axcodes: expected a volume, found an image: give None'
    """
    return error if _is_named(error, volumes) else type(error)(f"{one_line(', '.join(volumes))}: {error}")


@contextmanager
def naming(volumes: Sequence[str]) -> Iterator[None]:
    """Let an error of the block name volumes: one of ours as :func:`named` does, any other in a note.

    Args:
        volumes: their files; empty if they are not known.
    """
    try:
        yield
    except Exception as error:
        own, first = own_error(error), first_cause(error)
        if own is not None:
            # Of an error in a worker process the first text counts.
            raise named(own, volumes) from None
        if not _is_named(first, volumes):
            first.add_note(f"({one_line(', '.join(volumes))})")
        raise


def _is_named(error: BaseException, volumes: Sequence[str]) -> bool:
    return not volumes or any(Path(volume).name in str(error) for volume in volumes)


class NamingCompose(Compose):
    """Transforms whose errors name the volume.

    Args:
        args: as of :class:`monai.transforms.Compose`.
        key: key of the image.
        kwargs: as of :class:`monai.transforms.Compose`.
    """

    def __init__(self, *args: Any, key: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key = key

    def __call__(self, input_: Any, *args: Any, **kwargs: Any) -> Any:
        """Apply the transforms."""
        with naming(_files(input_, self.key)):
            return super().__call__(input_, *args, **kwargs)


def run_naming(evaluator: Engine, key: str) -> None:
    """Run an evaluator, whose errors name the volumes of the batch at hand.

    Args:
        evaluator: the engine.
        key: key of the image in a batch.
    """
    at_hand: list[str] = []
    evaluator.add_event_handler(
        Events.ITERATION_STARTED, lambda engine: at_hand.extend(_files(engine.state.batch, key))
    )
    evaluator.add_event_handler(Events.ITERATION_COMPLETED, lambda _: at_hand.clear())
    with naming(at_hand):
        evaluator.run()


def _files(data: Any, key: str) -> list[str]:
    """Files of the image in an item, or of the images in a batch, as far as they are known."""
    image = data.get(key, next(iter(data.values()), "")) if isinstance(data, Mapping) else ""
    found = image.meta.get("filename_or_obj", "") if isinstance(image, MetaTensor) else image
    paths = found if isinstance(found, (list, tuple)) else [found]
    return [str(path) for path in paths if path and isinstance(path, (str, os.PathLike))]
