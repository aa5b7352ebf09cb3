"""Weights of a network on disk: load, save, and the record of their calibration."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.checksums import check_sum, stated_sum
from monai_advdefense.errors import CalibrationError
from monai_advdefense.messages import broken_rule, reason

__all__ = ["calibrated_rate", "load_weights", "save_calibrated", "save_weights", "write_state"]


def load_weights(
    load_path: str | os.PathLike[str], network: torch.nn.Module, *, require_calibrated: bool = False
) -> None:
    """Load a flat state dict into a network after it was checked as a whole.

    Only tensors are read from the file (``weights_only=True``), so it can run no code. Where a ``SHA256SUMS`` beside it
    names the file, its checksum must be the one that stands there. If anything is wrong, the network keeps the weights
    that it had.

    Args:
        load_path: file written by ``torch.save(network.state_dict(), ...)``.
        network: network with exactly these names and shapes.
        require_calibrated: refuse weights whose threshold is not finite, which means "not calibrated". Its name in the
            state dict is ``network.threshold_key`` or, without that, ``"threshold"``.

    Raises:
        InputError: if the file is missing, has another checksum, is no flat state dict of tensors, belongs to another
            network, or holds weights that are not finite.
        CalibrationError: if a calibrated threshold is required and there is none.
    """
    path = Path(load_path)
    check_sum(path)
    state = _read(path)
    _check_keys(path, state, network)
    # First: where nothing is calibrated, all that a calibration fits may be NaN.
    if require_calibrated:
        _check_calibrated(path, state, network)
    for key, value in state.items():
        if not torch.isfinite(value).all() and not _is_uncalibrated(key, state):
            raise broken_rule(path, "finite weights", f"NaN or infinity in {key!r}", "train or copy it again")
    network.load_state_dict(state, strict=True)


def save_weights(network: nn.Module, path: str | Path) -> None:
    """Write a flat state dict, whole or not at all, and its checksum where there is a ``SHA256SUMS`` beside it.

    Args:
        network: the network; the ``module.`` prefix of a parallel wrapper is left out.
        path: file to write or replace; its folder is made if need be.

    Raises:
        OutputError: if the file cannot be written; what was there stays.
    """
    with stated_sum(path), atomic_path(path) as temporary:
        _save(network, temporary)


def save_calibrated(network: nn.Module, path: str | Path, record: Mapping[str, Any]) -> None:
    """Write weights, and beside them the record of their calibration, ``model.calibration.json`` for ``model.pt``.

    However it ends, no record of other weights lies there: for a moment there is none.

    Args:
        network: see :func:`save_weights`, as for ``path``.
        path: file of the weights.
        record: what the calibration says of itself, for JSON; the name of the weights is added.

    Raises:
        OutputError: if a file cannot be written; what was there stays.
    """
    beside = Path(path).with_suffix(".calibration.json")
    text = json.dumps({"weights": Path(path).name, **record}, indent=4, allow_nan=False)
    # The weights take their place first, when the inner block ends.
    with stated_sum(path), atomic_path(beside) as record_file, atomic_path(path) as weights_file:
        record_file.write_text(f"{text}\n", encoding="utf-8")
        _save(network, weights_file)
        beside.unlink(missing_ok=True)


def calibrated_rate(weights: str | PathLike[str], threshold: float) -> float | None:
    """Read the false positive rate that a threshold was calibrated for.

    Args:
        weights: weights file; beside ``model.pt`` lies the record of its calibration, ``model.calibration.json``.
        threshold: the threshold in use.

    Returns:
        The rate in [0, 1]; None if there is no record, or one of another threshold.

    Raises:
        InputError: if the record cannot be read.
    """
    path = Path(weights).with_suffix(".calibration.json")
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return float(record["false_positive_rate"]) if record["threshold"] == threshold else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise broken_rule(
            path, "the record of a calibration", f"none ({error})", "calibrate again or remove the file"
        ) from error


def write_state(state: Mapping[str, Any], temporary: Path) -> None:
    """Write tensors by :func:`torch.save` to the path that :func:`~monai_advdefense.atomic_path.atomic_path` gives.

    Args:
        state: what is stored, by name.
        temporary: path to write; its name is not stored in the file.

    Raises:
        OSError: if the system refuses; a full disk is a RuntimeError of torch otherwise.
    """
    try:
        # To a stream: by its name torch would write the name of the file into it, and this one is temporary.
        with temporary.open("wb") as stream:
            torch.save(state, stream)
    except RuntimeError as error:
        raise OSError(reason(error)) from error


def _save(network: nn.Module, path: Path) -> None:
    wrappers = (nn.parallel.DistributedDataParallel, nn.DataParallel)
    bare: nn.Module = network.module if isinstance(network, wrappers) else network
    write_state({name: value.detach().cpu() for name, value in bare.state_dict().items()}, path)


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise broken_rule(path, "a file with weights", "no such file", "train the network or check the path")
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise broken_rule(
            path,
            "weights saved as a flat state dict of tensors",
            f"a file that torch cannot read so ({type(error).__name__})",
            "copy it again, or save network.state_dict()",
        ) from error
    wrong = "a " + type(state).__name__
    if isinstance(state, dict):
        wrong = next((f"{key!r} of type {type(v).__name__}" for key, v in state.items() if not _is_plain(key, v)), "")
    if wrong:
        raise broken_rule(path, "a flat state dict of tensors", wrong, "save network.state_dict()")
    return dict(state)


def _is_plain(key: object, value: object) -> bool:
    """Whether an entry is a named, dense tensor with data."""
    return (
        isinstance(key, str)
        and isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_meta)
    )


def _check_keys(path: Path, state: dict[str, torch.Tensor], network: torch.nn.Module) -> None:
    own = network.state_dict()
    differences = [f"no {key!r}" for key in own if key not in state]
    differences += [f"an unknown {key!r}" for key in state if key not in own]
    differences += [
        f"{key!r} of {_kind(state[key])} instead of {_kind(own[key])}"
        for key in own
        if key in state and _kind(state[key]) != _kind(own[key])
    ]
    if differences:
        found = "; ".join(differences[:3]) + (f" and {len(differences) - 3} more" if len(differences) > 3 else "")
        raise broken_rule(
            path,
            f"the weights of {type(network).__name__}",
            found,
            "use the weights that belong to this network",
        )


def _kind(value: torch.Tensor) -> str:
    """Shape, and whether real or whole numbers; precision may differ."""
    return f"shape {tuple(value.shape)}" + ("" if value.is_floating_point() else f" {value.dtype}")


def _is_uncalibrated(key: str, state: dict[str, torch.Tensor]) -> bool:
    """Whether an entry is a threshold that is not calibrated, or stands beside one."""
    threshold = state.get(".".join([*key.split(".")[:-1], "threshold"]))
    return threshold is not None and not torch.isfinite(threshold).all()


def _check_calibrated(path: Path, state: dict[str, torch.Tensor], network: torch.nn.Module) -> None:
    key = str(getattr(network, "threshold_key", "threshold"))
    if key not in state or not torch.isfinite(state[key]).all():
        raise broken_rule(
            path,
            "a calibrated threshold",
            f"no {key!r}",
            "run configs/calibrate.json of the bundle",
            error=CalibrationError,
        )
