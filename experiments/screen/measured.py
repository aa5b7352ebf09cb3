"""Numbers of clean, spoilt and attacked volumes, kept in a folder: a run that was stopped goes on there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.transforms import Compose
from torch import Tensor

from experiments.attacks import AttackSetting
from experiments.evaluation.networks import load_guard, segmenter_config
from experiments.measure import craft
from experiments.screen.spoilt_volumes import SPOILT_VOLUMES, changed_slices
from experiments.slices import evenly_spaced
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.data import malc2012_datalist
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.volume_numbers import VolumeNumbers, features_of, volume_numbers

# Spoilt volumes are measured on every fourth slice; what depends on neighbours needs all.
EVERY = 4
NEEDS_NEIGHBOURS = ("every tenth slice 0.6 as bright",)
# Slices with less of the object are not attacked.
SMALLEST = 150


@dataclass(frozen=True)
class SpoiltNumbers:
    """Numbers of some slices of a spoilt volume.

    Attributes:
        features: :func:`~monai_advdefense.guard.volume_numbers.features_of` them.
        index: their places in the volume.
        changed: which of them differ from the clean ones.
        between_clean: the slices beside them are clean.
    """

    features: dict[str, Tensor]
    index: Tensor
    changed: Tensor
    between_clean: bool


@dataclass
class Measured:
    """A data set, and what was measured on it.

    Attributes:
        dataset_dir: data in the layout of MALC 2012.
        bundles: folder of the bundles, whose segmenter is attacked.
        work_dir: folder of what was measured; what is there is not measured again.
        attacked_slices: attacked slices of each volume.
    """

    dataset_dir: Path
    bundles: Path
    work_dir: Path
    attacked_slices: int

    def cases(self, *splits: str) -> list[dict[str, str]]:
        """Cases of some splits, each with the name of its ``scan``."""
        cases = [case for split in splits for case in malc2012_datalist(self.dataset_dir, split)]
        return [{**case, "scan": Path(case["image"]).name.partition(".")[0]} for case in cases]

    def clean(self, case: dict[str, str]) -> VolumeNumbers:
        """Numbers of a clean volume, also with synthetic noise and faults."""

        def compute() -> VolumeNumbers:
            image, _ = self._volume(case)
            seed = sum(map(ord, case["scan"]))
            return volume_numbers(image, case["subject"], generator=torch.Generator().manual_seed(seed))

        return cast(VolumeNumbers, self._kept(f"clean/{case['scan']}", compute))

    def spoilt(self, case: dict[str, str], name: str) -> SpoiltNumbers:
        """Numbers of a volume spoilt as :data:`~experiments.screen.spoilt_volumes.SPOILT_VOLUMES` says."""

        def compute() -> SpoiltNumbers:
            image, _ = self._volume(case)
            spoilt = SPOILT_VOLUMES[name](image)
            index = torch.arange(0, len(image), 1 if name in NEEDS_NEIGHBOURS else EVERY)
            changed = changed_slices(image[index], spoilt[index])
            return SpoiltNumbers(features_of(spoilt[index]), index, changed, name in NEEDS_NEIGHBOURS)

        return cast(SpoiltNumbers, self._kept(f"spoilt/{name.replace(' ', '_')}_{case['scan']}", compute))

    def attacked(self, case: dict[str, str], setting: AttackSetting) -> SpoiltNumbers:
        """Numbers of some attacked slices of a volume."""

        def compute() -> SpoiltNumbers:
            image, label = self._volume(case)
            shown = np.flatnonzero((image > 0).flatten(1).sum(dim=1).numpy() > SMALLEST)
            index = torch.from_numpy(shown[evenly_spaced(np.zeros(len(shown), int), self.attacked_slices)])
            options: dict[str, Any] = {"setting": setting, "num_classes": self._guard[1], "seed": 0}
            crafted = craft(self._guard[0].segmenter, image[index], label[index], **options)
            features = features_of(torch.from_numpy(crafted["image"]))
            return SpoiltNumbers(features, index, torch.ones(len(index), dtype=torch.bool), True)

        return cast(SpoiltNumbers, self._kept(f"attacked/{setting.name}_{case['scan']}", compute))

    @cached_property
    def _guard(self) -> tuple[DefendedSegmenter, int]:
        """The guard and the number of classes."""
        network = load_guard(self.bundles)
        if network is None:
            raise InputError(f"{self.bundles}: expected the weights of the defended segmenter, found none: train it")
        config = segmenter_config(self.bundles, self.dataset_dir)
        return cast(DefendedSegmenter, network.network), int(config.get_parsed_content("num_classes"))

    def _volume(self, case: dict[str, str]) -> tuple[Tensor, Tensor]:
        """Preprocessed slices ``(S, 1, X, Z)`` and their classes ``(S, X, Z)``."""
        config = segmenter_config(self.bundles, self.dataset_dir)
        loaded = Compose(config.get_parsed_content("volume_transforms"))(dict(case))
        image, label = (torch.as_tensor(loaded[key]).as_subclass(Tensor)[0].movedim(1, 0) for key in ("image", "label"))
        return image[:, None].float().contiguous(), label.long().contiguous()

    def _kept(self, name: str, compute: Callable[[], Any]) -> Any:
        path = self.work_dir / f"{name}.pt"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            found = compute()
            with atomic_path(path) as temporary:
                torch.save(found, temporary)
        # Files that this class wrote itself.
        return torch.load(path, weights_only=False)
