"""Tables and pages of a guard in front of a network that knows nothing of it."""

from __future__ import annotations

import copy
import math
import os
import sys
from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.transforms import Compose, Orientation, SaveImaged
from monai.utils.enums import MetaKeys
from torch import Tensor

from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.bundle_tools.guard_in_front import UNFITTED, ScreenGuard
from monai_advdefense.bundle_tools.leave_out_broken import leave_out_broken
from monai_advdefense.bundle_tools.name_volumes import run_naming
from monai_advdefense.bundle_tools.predict_slices import kept_slices
from monai_advdefense.bundle_tools.spectral_guard import Transforms, flat
from monai_advdefense.checksums import file_sha256
from monai_advdefense.errors import BatchError, InputError
from monai_advdefense.ras_affine import ras_affine
from monai_advdefense.report import (
    BundleFacts,
    Case,
    Plane,
    Provenance,
    bundle_facts,
    case_from_scores,
    case_to_csv,
    case_to_html,
    case_to_json,
    image_views,
    plane_of,
    thumbnails_of_rejected,
)
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.stop_rule import StopRule, conclude
from monai_advdefense.transforms.keep_slices import KeptSlices
from monai_advdefense.weights import calibrated_rate

__all__ = ["GuardReport"]

_SUSPICIOUS = 4


class GuardReport:
    """Writes ``NAME_scores.csv``, ``NAME_scores.json`` and ``NAME_report.html`` of each volume, then those of all.

    Args:
        guard: what judges the volumes.
        dataset_dir: folder that holds the inputs, or one input; results lie at the same paths below ``output_dir``.
        output_dir: folder of the results.
        bundle: folder of the network's bundle, whose metadata tell its name and those of its classes, if it has any.
        weights: file that the network was loaded from, whose checksum pages name; None if that is not known.
        fail_on_alarm: end a run with exit code 3 if more volumes are suspicious than clean ones would be.

    Raises:
        InputError: the screen of ``guard`` cannot be used.
    """

    def __init__(
        self,
        guard: ScreenGuard,
        dataset_dir: str | os.PathLike[str],
        output_dir: str | os.PathLike[str],
        *,
        bundle: str | os.PathLike[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        fail_on_alarm: bool = False,
    ) -> None:
        self.guard = guard
        self.outputs = Outputs(dataset_dir, output_dir)
        self.run_log = RunLog()
        metadata = None if bundle is None else Path(bundle) / "configs" / "metadata.json"
        self.facts = bundle_facts(metadata) if metadata is not None and metadata.is_file() else BundleFacts()
        self.weights = weights
        self.fail = fail_on_alarm
        # Here, for minutes would be spent on volumes that cannot be checked, and the first one be named for the screen.
        if guard.screen is None:
            print(f"warning: {UNFITTED}", file=sys.stderr, flush=True)

    def leave_out_broken(self, dataset: Any) -> None:
        """Leave out what cannot be loaded, see :func:`~.leave_out_broken.leave_out_broken`; :meth:`finish` tells it.

        An evaluator counts the items when it is built: call this before.
        """
        leave_out_broken(dataset, self.run_log, key=self.guard.key)

    def postprocessing(self, theirs: Transforms) -> Compose:
        """A postprocessing of :meth:`ScreenGuard.postprocessing` that ends with what writes."""
        return Compose([*map(_telling_where, flat(theirs).transforms), self.write])

    def write(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write table, record and page of a volume, and say its verdict in one line."""
        image, pred = data[self.guard.key], data[self.guard.pred_key]
        source = str(image.meta["filename_or_obj"])
        self.run_log.attempt(source)
        with self.run_log.recorded(source, "no report"):
            kept = kept_slices(data, self.guard.key)
            case = self._case(source, kept, data["screened"], str(getattr(pred, "meta", {}).get(MetaKeys.SAVED_TO, "")))
            print(f"{self.outputs.name(source)}: {case.line}", flush=True)
            page = self._page(case, kept, pred)
            for postfix, suffix, text in (
                ("scores", ".csv", case_to_csv(case)),
                ("scores", ".json", case_to_json(case)),
                ("report", ".html", page),
            ):
                with atomic_path(self.outputs.path(source, postfix, suffix)) as temporary:
                    temporary.write_text(text, encoding="utf-8", newline="")
        return dict(data)

    def run(self, evaluator: Engine) -> None:
        """Run an evaluator, and finish; errors as of :meth:`finish`, or what ends the run."""
        try:
            run_naming(evaluator, self.guard.key)
        except InputError:
            # A bundle of ours goes on after a volume that failed, and ends so: there is a report about the others.
            if self.run_log.attempted:
                with suppress(BatchError):
                    self.finish()
            raise
        self.finish()

    def finish(self) -> None:
        """Write the report about all volumes, and say what failed.

        Raises:
            InputError: a report could not be written.
            BatchError: more volumes are suspicious than clean ones would be, and ``fail_on_alarm`` asks for that.
        """
        group = GroupReport(self.outputs, self.run_log)
        screen = self.guard.screen_path
        rule = None if screen is None else StopRule(screen, fail=self.fail)
        group.write(rule)
        alarm = None if rule is None else rule.broken_by(group.verdicts)
        conclude(self.run_log, alarm, fail=self.fail)

    @cached_property
    def _provenance(self) -> Provenance:
        path, screen = self.guard.screen_path, self.guard.screen
        theirs = file_sha256(self.weights) if self.weights is not None and Path(self.weights).is_file() else None
        known = Provenance(model=self.facts.model, weights_sha256=theirs)
        if path is None or screen is None:
            return known
        rate = calibrated_rate(path, float(screen.threshold))
        return replace(known, screen_sha256=file_sha256(path), false_positive_rate=rate)

    def _case(self, source: str, kept: KeptSlices, screened: Any, segmentation: str) -> Case:
        axis = int(kept.centers.amax(dim=0).sub(kept.centers.amin(dim=0)).argmax())
        places = zip(kept.centers[:, axis].tolist(), kept.indices.tolist(), strict=True)
        screen = self.guard.screen
        return case_from_scores(
            screened.score,
            screened.accepted,
            screened.blank,
            threshold=math.nan if screen is None else float(screen.threshold),
            positions=[(round(position, 3), index) for position, index in places],
            input_path=source,
            segmentation_path=segmentation,
            position_axis="xyz"[axis],
            provenance=self._provenance,
            screened=screened,
        )

    def _page(self, case: Case, kept: KeptSlices, pred: Any) -> str:
        """The page of a volume, with its most suspicious slices."""
        plane, labels = _plane(kept, pred, self.guard), kept.framed(_label_slices(pred, self.guard))
        views = image_views(kept.slices[:, 0], labels, case.most_suspicious(_SUSPICIOUS))
        slice_dim = self.guard.slice_dim or 0
        small = thumbnails_of_rejected(kept.slices[:, 0].movedim(0, slice_dim), case.slices, plane, slice_dim)
        return case_to_html(case, views, plane, class_names=self.facts.class_names, thumbnails=small)


def _telling_where(transform: Any) -> Any:
    """The transform, or a copy of a ``SaveImaged`` that tells in the metadata where it saves."""
    if not isinstance(transform, SaveImaged):
        return transform
    telling = copy.copy(transform)
    telling.saver = copy.copy(transform.saver)
    telling.saver.savepath_in_metadict = True
    return telling


def _label_slices(pred: Any, guard: ScreenGuard) -> Tensor:
    """Labels of a prediction ``(channels, *spatial)`` on the grid of the input, slice by slice ``(S, H, W)``."""
    plain = torch.as_tensor(pred).as_subclass(Tensor)
    oriented = plain.cpu() if guard.slice_dim is None else guard.guarded.oriented(pred).cpu()
    if len(oriented) > 1:
        # A mask for each structure: the last one stands in front.
        numbers = torch.arange(1, len(oriented) + 1).view(-1, *[1] * (oriented.ndim - 1))
        oriented = ((oriented > 0) * numbers).amax(dim=0, keepdim=True)
    whole = oriented[0].long()
    return whole[None] if guard.slice_dim is None else whole.movedim(guard.slice_dim, 0)


def _plane(kept: KeptSlices, pred: Any, guard: ScreenGuard) -> Plane:
    """How the slices lie in the patient; without letters where that is not known."""
    content = kept.slices[:, 0]
    if guard.slice_dim is None or not isinstance(pred, MetaTensor):
        unknown = plane_of(content.movedim(0, 1), np.eye(4), 1)
        return replace(unknown, ends="    ")
    turned = pred if guard.axcodes is None else Orientation(guard.axcodes, labels=None)(pred)
    return plane_of(content.movedim(0, guard.slice_dim), ras_affine(turned).cpu().numpy(), guard.slice_dim)
