"""A copy of a segmenter's bundle that has a guard in its own transforms."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

from monai.bundle import ConfigParser

from monai_advdefense.bundle_tools.bundle_folder import config_of, weights_of
from monai_advdefense.bundle_tools.guard_parts import load_detector, load_reformer
from monai_advdefense.errors import OutputError
from monai_advdefense.messages import broken_rule, reason

__all__ = ["guard_entry", "write_guarded_bundle"]

_WHERE = "guard"
_PARTS = {"bundle": "detector", "reformer_bundle": "reformer"}


def guard_entry(**bundles: str) -> dict[str, Any]:
    """The entry ``guard`` of an inference configuration, with every setting that a user may override.

    Args:
        bundles: where the parts come from, see :meth:`~monai_advdefense.bundle_tools.Guard.from_bundle`.
    """
    return {
        "_target_": "monai_advdefense.bundle_tools.Guard.from_bundle",
        **bundles,
        "device": "cpu",
        "axcodes": "RAS",
        "channels": None,
        "value_range": None,
        "label": 255,
        "keys": "image",
        "pred_keys": "pred",
    }


def write_guarded_bundle(detector: str | Path, reformer: str | Path, segmenter: str | Path, output: str | Path) -> Path:
    """Copy a segmenter's bundle, and put a guard into the copy's preprocessing and postprocessing.

    The network, its weights and all that the configuration says beside are those of the segmenter, 2-D or 3-D. Detector
    and reformer lie in the folder ``guard`` of the copy; the entry ``guard`` of its inference configuration says which
    slices and channels they see.

    Args:
        detector: bundle of the detector, with a calibrated threshold, or of a defended segmenter.
        reformer: bundle of the reformer, or of a defended segmenter.
        segmenter: bundle of the segmenter, with the entries ``preprocessing`` and ``postprocessing`` in
            ``configs/inference.json`` (or ``.yaml``).
        output: folder to write, which must not exist; it appears whole or not at all.

    Returns:
        The inference configuration of the copy.

    Raises:
        InputError: if a file is missing or of another kind.
        CalibrationError: if the detector is not calibrated.
        OutputError: if the folder cannot be written.
    """
    load_detector(detector)
    load_reformer(reformer)
    output = Path(output)
    config = _guarded(config_of(segmenter))
    temporary = output.with_name(f".{uuid4().hex}")
    try:
        ignored = shutil.ignore_patterns("eval", "runs", "__pycache__")
        shutil.copytree(segmenter, temporary, ignore=ignored)
        path = config_of(temporary)
        ConfigParser.export_config_file(config, path, fmt=path.suffix[1:], **_layout(path))
        for name, bundle in zip(_PARTS.values(), (detector, reformer), strict=True):
            for file in (config_of(bundle), weights_of(bundle)):
                target = temporary / _WHERE / name / file.relative_to(bundle)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
        temporary.rename(output)
    except OSError as error:
        raise broken_rule(
            output,
            "to write a new folder here",
            reason(error),
            "choose another one, or check free space and permissions",
            error=OutputError,
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return config_of(output)


def _guarded(path: Path) -> dict[str, Any]:
    """The configuration of a segmenter, with the guard in the transforms that every tool reads."""
    if not path.is_file():
        raise broken_rule(path, "the configuration of a bundle", "no such file", "check the path")
    config: dict[str, Any] = ConfigParser.load_config_file(path)
    for name in ("preprocessing", "postprocessing"):
        if name not in config:
            raise broken_rule(path, f"an entry {name!r}", "none", "give the transforms that name")
        config[f"unguarded_{name}"] = config[name]
        config[name] = f"$@guard.{name}(@unguarded_{name})"
    parts = {name: f"$@bundle_root + '/{_WHERE}/{part}'" for name, part in _PARTS.items()}
    return {**config, "exit_code": "$import monai_advdefense.exit_code", "guard": guard_entry(**parts)}


def _layout(path: Path) -> dict[str, Any]:
    return {"indent": 4} if path.suffix == ".json" else {"sort_keys": False}
