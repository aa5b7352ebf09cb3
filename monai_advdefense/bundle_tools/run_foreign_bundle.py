"""Run a bundle of others with overlays of ours, whatever it raises."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.bundle_tools import run_bundle
from monai_advdefense.bundle_tools.bundle_folder import is_guarded, merged_config
from monai_advdefense.errors import AdvDefenseError, first_cause
from monai_advdefense.messages import broken_rule, reason
from monai_advdefense.quiet_own_errors import quiet_errors

__all__ = ["run_foreign_bundle"]

_IN_A_WORKER = re.compile(
    r"^Caught .+? in DataLoader worker process .+?^(?:\w+\.)*(\w+: [^\n]+(?:\n\([^\n]+\))?)$", re.DOTALL | re.MULTILINE
)
_REFERENCE = re.compile(r"@([\w#]+)")
_ENTRY_USED = re.compile(r"[@%]#*(\w+)")


def run_foreign_bundle(
    bundle: Path, config_files: Sequence[Path], overlays: Sequence[Path], overrides: Mapping[str, Any], *, log: Path
) -> None:
    """Run the inference of a bundle of others with overlays.

    Args:
        bundle: folder of the bundle.
        config_files: its configurations, later ones over earlier ones.
        overlays: configurations that are laid over them.
        overrides: values by the id of an entry; None leaves an entry as it is.
        log: file to write the traceback to, if the bundle ends with an error of its own; that of an earlier run goes.

    Raises:
        InputError: if it has a guard already, it lacks an entry that an overlay refers to, an overlay replaces one that
            it refers to, an override names no entry, an input cannot be used, or the bundle ends with an error of its
            own.
    """
    try:
        config = merged_config(config_files)
        if is_guarded(config):
            remedy = "run it by advdefense screen, fit it by advdefense calibrate without --network"
            raise broken_rule(bundle, "a bundle without a guard", "one that has its own", remedy)
        _check_entries(ConfigParser(config), overlays, overrides, config_files[0])
        # That of an earlier run says nothing of this one.
        log.unlink(missing_ok=True)
        with quiet_errors():
            run_bundle.run_bundle(bundle, [*config_files, *overlays], overrides)
    except AdvDefenseError:
        raise
    except Exception as error:
        with atomic_path(log) as temporary:
            temporary.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        remedy = f"does it run on this input without the guard? see {log}"
        raise broken_rule(bundle, "a bundle that runs to its end", _told(error), remedy) from error


def _told(error: BaseException) -> str:
    """What began an error; of one in a worker process of torch there is nothing but a text with its tracebacks."""
    first = first_cause(error)
    in_a_worker = _IN_A_WORKER.search(str(first))
    notes = getattr(first, "__notes__", ())
    return " ".join(in_a_worker[1].split() if in_a_worker else (f"{type(first).__name__}: {reason(first)}", *notes))


def _check_entries(theirs: ConfigParser, overlays: Sequence[Path], overrides: Mapping[str, Any], file: Path) -> None:
    """Check that there is what the overlays refer to, and that they replace nothing that the bundle refers to.

    MONAI's own message names what is missing as an option, and says nothing of what is replaced.
    """
    ours = [ConfigParser.load_config_file(str(overlay)) for overlay in overlays]
    given = {"bundle_root", *overrides, *(name for config in ours for name in config)}
    # To replace run is what overlays are for.
    used = {*_ENTRY_USED.findall(str(theirs.get()))} - {"run"}
    for overlay, config in zip(overlays, ours, strict=True):
        for name in config:
            if name in used and name in theirs:
                remedy = "rename it and what refers to it"
                raise broken_rule(file, f"no entry {name} of its own, which {overlay.name} defines", "one", remedy)
        laid_in = [name.rpartition("#")[0] for name in config if "#" in name]
        for name in [*laid_in, *_REFERENCE.findall(json.dumps(config))]:
            if name not in given and name not in theirs:
                remedy = "add it, as MONAI's specification of bundles names it"
                raise broken_rule(file, f"an entry {name}, which {overlay.name} needs", "none", remedy)
