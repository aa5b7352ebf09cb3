"""Likely causes of a verdict that is not clean, in words, with what to do."""

from __future__ import annotations

__all__ = ["CAUSES", "cause_in_words", "explain", "remedy"]

# Cause: what it is called in a sentence, and what to do about it.
_WORDS = {
    "fine_pattern": (
        "a fine pattern, as of an attack or of noise",
        "fetch the image again from its source, compare the two, and look at the rejected slices",
    ),
    "smooth": (
        "a smooth image or one of low resolution",
        "check voxel size, filters and resampling, and take the image as it was acquired",
    ),
    "intensity": (
        "unusual contrast or intensities",
        "check sequence, contrast agent, scaling and lost rows of the image",
    ),
    "ghosting": ("ghosts, as of motion", "look at the image, and repeat the scan if structures are doubled"),
    "bias_field": ("a bias field: brightness that drifts across the image", "correct the bias field, then run again"),
    "anatomy": (
        "an unusual pose or a missing part",
        "check orientation, header and field of view, and whether all of the organ is shown",
    ),
    "implausible": (
        "an implausible segmentation",
        "look at the structures of the rejected slices, and do not use their volumes unseen",
    ),
    "foreign": (
        "an image of a kind that the guard was not fitted on",
        "check that subject, contrast and scanner are those that this guard is meant for",
    ),
}

CAUSES = tuple(_WORDS)


def cause_in_words(cause: str) -> str:
    """What a cause is called in a sentence.

    Example:
        >>> cause_in_words("ghosting")
        'ghosts, as of motion'
    """
    return _WORDS[cause][0]


def remedy(cause: str) -> str:
    """What to do about a cause."""
    return _WORDS[cause][1]


def explain(verdict: str, cause: str, found: str) -> str:
    """Say a verdict in words, with the likely cause and what to do.

    Args:
        verdict: ``clean``, ``review``, ``reject`` or ``not_checked``.
        cause: one of :data:`CAUSES` for review and reject.
        found: what was counted, or why the volume could not be checked.

    Example:
        >>> explain("review", "ghosting", "9 of 160 slices rejected, 3.2 expected")
        'look at it: ghosts, as of motion (9 of 160 slices rejected, 3.2 expected); look at the image, and repeat the \
scan if structures are doubled'
    """
    if verdict == "clean":
        return f"clean: as clean volumes are ({found})"
    if verdict == "not_checked":
        return f"could not be checked: {found}; do not take it for clean"
    what = "look at it" if verdict == "review" else "do not use it"
    return f"{what}: {cause_in_words(cause)} ({found}); {remedy(cause)}"
