"""How robust is a network? One call, for networks of any kind."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.attacks import ThroughWindows, accelerated, frozen
from monai_advdefense.guard.defended_segmenter import DefendedSegmenter
from monai_advdefense.messages import broken_rule, reason, some_failed
from monai_advdefense.networks import can_be_copied
from monai_advdefense.report.provenance import package_versions
from monai_advdefense.robustness.case import Case
from monai_advdefense.robustness.case_facts import CaseFacts, Items, facts_of_cases, read_case
from monai_advdefense.robustness.cells import Cells
from monai_advdefense.robustness.clauses import CLAUSES, LIMITS
from monai_advdefense.robustness.condition import Condition, conditions
from monai_advdefense.robustness.guarded import Subject, check_guard, subject_of
from monai_advdefense.robustness.measure import Record, check_fit, measured
from monai_advdefense.robustness.measurements import Measured, Measurements
from monai_advdefense.robustness.network_facts import network_sha256, outputs_number
from monai_advdefense.robustness.page import to_html
from monai_advdefense.robustness.settings import Settings
from monai_advdefense.robustness.summary import summary
from monai_advdefense.robustness.tables import to_csv
from monai_advdefense.robustness.unit_range import UnitRange
from monai_advdefense.runs.shard import Shard

__all__ = ["robustness_report"]

FORMAT = "advdefense robustness report 1"
_STARTED = {"started": True}
"""Key of when the first of all calls for a report began."""


@dataclass(frozen=True)
class _Run:
    """What all measurements of a report share."""

    network: nn.Module
    data: Items
    settings: Settings
    logits_of: Callable[[Any], Tensor] | None
    device: torch.device
    cells: Cells
    structures: Sequence[str] | None

    def subject(self, case: Case) -> Subject:
        """The network in units of a case."""
        units = {"value_range": self.settings.value_range, "logits_of": self.logits_of}
        return subject_of(UnitRange.of(self.network, case.image.to(self.device), **units))  # type: ignore[arg-type]


def robustness_report(
    network: nn.Module,
    data: Items,
    output_dir: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    logits_of: Callable[[Any], Tensor] | None = None,
    structures: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    shard: str = "1/1",
    about: dict[str, Any] | None = None,
    progress: bool = True,
) -> dict[str, Any] | None:
    """Measure how robust a segmentation network is, and write ``robustness.json``, ``robustness.csv`` and a page.

    Attacks and corruptions work on the images that the network takes, scaled to [0, 1] by their range of values; the
    network itself stays as it was. Each measurement is on disk as soon as it is made: a call that was stopped goes on
    where it was, and leaves the same files. Calls with shards share the cases; the last one writes the report.

    Args:
        network: from images ``(B, C, *spatial)`` to logits ``(B, K, *spatial)``; a
            :class:`~monai_advdefense.guard.DefendedSegmenter` is measured without its guard and with it.
        data: items with ``image`` ``(C, *spatial)``, and if they are known ``label`` ``(1, *spatial)`` or, of a
            sigmoid, ``(L, *spatial)``, ``subject`` and ``name``, such as a ``monai.data.Dataset``. Without labels the
            prediction on the clean image takes their place.
        output_dir: folder of the results.
        settings: what is measured, see :class:`~monai_advdefense.robustness.Settings`.
        logits_of: from what the network returns to its logits; None if it returns them.
        structures: their names, without the background; numbers by default.
        device: where the network shall run.
        shard: ``"I/N"`` if this is one of N calls.
        about: what else the report shall say of network and data, text by name.
        progress: show a bar with the time left, where stderr is a terminal.

    Returns:
        The report, as in ``robustness.json``; None if other shards are not ready.

    Raises:
        InputError: if an argument does not fit, or the network cannot be copied, as while it is pruned; after the
            report is written, if a case could not be used.
        OutputError: if a result cannot be written.
    """
    settings, output, part = settings or Settings(), Path(output_dir), Shard.parse(shard)
    check_guard(network, settings.activation)
    device = _device(device)
    _check_about(about or {})
    with frozen(network):
        copied = _copied(network).to(device)
    cells = Cells(output / "cells", of={**_what_counts(settings), "network": network_sha256(network)})
    run = _Run(copied, data, settings, logits_of, device, cells, structures)
    # Before hours are spent on the others.
    facts, failures = facts_of_cases(data, settings, partial(_check_fit, run))
    run = replace(run, cells=_cells_of_outputs(run, facts[0]))
    run.cells.make(_STARTED, lambda: {"created": datetime.now(UTC).isoformat(timespec="seconds")})
    wanted = conditions(settings, guarded=isinstance(network, DefendedSegmenter))
    _measure(run, facts, wanted, part, progress)
    report = _report(run, facts, wanted, about or {})
    if report is not None:
        _write(output, *report)
    if failures:
        raise some_failed(failures, len(failures), len(data), "cases")
    return report and report[0]


def _device(name: str | torch.device) -> torch.device:
    """The device of that name, if it is there."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # A torch without CUDA says so by an assertion.
    except (RuntimeError, AssertionError) as error:
        raise broken_rule("device", "one that torch can use here", f"{name}: {reason(error)}", "try cpu") from error
    return device


def _check_about(about: dict[str, Any]) -> None:
    """Before hours are spent on a report that cannot be written."""
    try:
        json.dumps(about)
    except (TypeError, ValueError) as error:
        raise broken_rule("about", "what JSON can hold, such as text by name", reason(error), "give text") from error


def _copied(network: nn.Module) -> nn.Module:
    """A copy that computes the same but for rounding, and faster; in evaluation mode if ``network`` is.

    Raises:
        InputError: if the network cannot be copied.
    """
    if isinstance(network, torch.jit.ScriptModule):
        return copy.deepcopy(network)
    if not can_be_copied(network):
        found = "weights that torch computes of others"
        remedy = "make them permanent, such as with torch.nn.utils.prune.remove"
        raise broken_rule("network", "a network that can be copied", found, remedy)
    return accelerated(network)


def _what_counts(settings: Settings) -> dict[str, Any]:
    """What every measurement depends on; attacks, corruptions and their levels are those of a condition."""
    listed = {"attacks", "corruptions", "budgets", "changes"}
    kept = {name: value for name, value in settings.as_json().items() if name not in listed}
    return {"settings": kept, "versions": package_versions()}


def _check_fit(run: _Run, case: Case) -> None:
    """Check a case; one that fits is not checked again by a run that goes on."""

    def check() -> dict[str, Any]:
        check_fit(case, run.subject(case), run.settings, run.device)
        return {"fits": True}

    run.cells.make({"fits": case.sha256}, check)


def _cells_of_outputs(run: _Run, first: CaseFacts) -> Cells:
    """The cells of what the network returns for the first case.

    It hangs on more than the weights: on ``logits_of``, on the inferer of windows, on what else a module holds.
    """
    case = read_case(run.data, first.number, run.settings)
    subject = run.subject(case)
    with torch.no_grad():
        logits = subject.network(subject.network.to_unit(case.image[:1].to(run.device)))
    known = {"image": case.sha256, "shape": list(logits.shape)}
    outputs = {**known, "number": outputs_number(run.cells, known, logits)}
    return Cells(run.cells.folder, of={**run.cells.of, "outputs": outputs})


def _key(case: CaseFacts, condition: Condition, *, pictures: bool) -> dict[str, Any]:
    return {"case": case.sha256, "condition": asdict(condition), "pictures": pictures}


def _measure(run: _Run, facts: Sequence[CaseFacts], wanted: Sequence[Condition], shard: Shard, progress: bool) -> None:
    """Make all measurements of this shard that are not there."""
    share = shard.share(list(enumerate(facts)))
    # Silent where stderr is no terminal; what is there already counts for nothing in the time left.
    with tqdm(total=len(share) * len(wanted), desc="measurements", disable=None if progress else True) as bar:
        for place, known in share:
            keys = [_key(known, condition, pictures=place == 0) for condition in wanted]
            missing = [one for one in zip(wanted, keys, strict=True) if run.cells.get(one[1]) is None]
            if not bar.disable:
                bar.initial += len(keys) - len(missing)
            bar.update(len(keys) - len(missing))
            if missing:
                case = read_case(run.data, known.number, run.settings)
                subject = run.subject(case)
            for condition, key in missing:
                bar.set_postfix_str(condition.name)
                record = run.cells.make(key, partial(_record, run, case, condition, subject, place == 0))
                # Before hours are spent on a report that cannot be written.
                _names(run.structures, len(record["counts"][0][0]))
                bar.update()


def _record(run: _Run, case: Case, condition: Condition, subject: Subject, pictures: bool) -> Record:
    return measured(case, condition, subject, settings=run.settings, device=run.device, with_pictures=pictures)


def _report(
    run: _Run, facts: Sequence[CaseFacts], wanted: Sequence[Condition], about: dict[str, Any]
) -> tuple[dict[str, Any], Measurements] | None:
    """The report and what it was made of; None if a measurement is missing."""
    records = [
        [run.cells.get(_key(known, condition, pictures=place == 0)) for place, known in enumerate(facts)]
        for condition in wanted
    ]
    there = [[record for record in row if record is not None] for row in records]
    if any(len(row) < len(facts) for row in there):
        return None
    found = [Measured.of(condition, row) for condition, row in zip(wanted, there, strict=True)]
    case = np.repeat(np.arange(len(facts)), [known.samples for known in facts])
    names = _names(run.structures, found[0].counts.shape[2])
    measurements = Measurements(case, [known.subject for known in facts], names, found, run.settings.seed)
    inner = run.network.network if isinstance(run.network, ThroughWindows) else run.network
    return {
        "format": FORMAT,
        "created": (run.cells.get(_STARTED) or {})["created"],
        "about": about,
        "network": {"class": type(inner).__name__, "sha256": run.cells.of["network"]},
        "reference": "label" if facts[0].labelled else "prediction on the clean image",
        "cases": [{key: value for key, value in asdict(known).items() if key != "labelled"} for known in facts],
        "settings": run.settings.as_json(),
        "versions": package_versions(),
        "structures": names,
        **summary(measurements),
        "clauses": CLAUSES,
        "limits": LIMITS,
    }, measurements


def _names(given: Sequence[str] | None, number: int) -> list[str]:
    """Names of the structures; numbers where none are given."""
    if given is not None and len(given) != number:
        raise broken_rule("structures", f"{number} names, without the background", len(given), "name each once")
    return list(given) if given is not None else [f"structure {place}" for place in range(1, number + 1)]


def _write(output: Path, report: dict[str, Any], measurements: Measurements) -> None:
    texts = {
        "robustness.json": json.dumps(report, indent=2) + "\n",
        "robustness.csv": to_csv(report),
        "robustness.html": to_html(report, measurements),
    }
    for name, text in texts.items():
        with atomic_path(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
