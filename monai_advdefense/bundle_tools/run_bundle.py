"""Run configurations of a bundle in this process, as ``python -m monai.bundle run`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from monai.bundle import run as run_workflow

from monai_advdefense.bundle_tools.bundle_folder import config_files_of, merged_config
from monai_advdefense.bundle_tools.overrides import check_overrides
from monai_advdefense.errors import own_error
from monai_advdefense.messages import broken_rule
from monai_advdefense.quiet_own_errors import quiet_own_errors

__all__ = ["run_bundle", "run_id_of"]


def run_bundle(
    bundle: str | os.PathLike[str], config_files: Sequence[str | os.PathLike[str]], overrides: Mapping[str, Any]
) -> None:
    """Run configurations of a bundle.

    Args:
        bundle: folder of the bundle.
        config_files: the configurations, later ones over earlier ones, see
            :func:`~monai_advdefense.bundle_tools.bundle_folder.config_files_of`.
        overrides: values by the id of an entry; None leaves an entry as it is.

    Raises:
        InputError: if a file is missing, an override names no entry, or an input cannot be used.
        CalibrationError: if a threshold is missing.
        OutputError: if results cannot be written.
    """
    files = config_files_of(bundle, config_files)
    given = {name: value for name, value in overrides.items() if value is not None}
    config = merged_config(files)
    check_overrides(given, config)
    quiet_own_errors()
    try:
        run_workflow(run_id=run_id_of(config), bundle_root=str(bundle), config_file=[*map(str, files)], **given)
    except Exception as error:
        own = own_error(error)
        if own is None:
            # A defect: with all that led to it.
            raise
        raise own from None


def run_id_of(config: Mapping[str, Any]) -> str:
    """The id of the expressions that run an inference: ``run`` by custom, ``evaluating`` in older bundles.

    Raises:
        InputError: if there is neither.
    """
    for name in ("run", "evaluating"):
        if name in config:
            return name
    raise broken_rule(
        "run",
        "an entry 'run' or 'evaluating' in the configuration",
        "none",
        'give the inference.json of a bundle, or add "run": ["$@evaluator.run()"]',
    )
