"""A split of a data set, and what was measured on it: kept in a folder, so that a run that was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from experiments.evaluation.networks import Network, load_guard, segmenter_config
from experiments.screen.conditions import ATTACKS, CLEAN, SPOILT, VOXEL_SIZES
from experiments.screen.examined import Examined, examine, positions, predicted
from experiments.screen.informed_attack import Attackable
from experiments.screen.judged import rejected_by_image
from experiments.screen.spoilt_volumes import changed_slices
from experiments.slices import evenly_spaced
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.checksums import file_sha256
from monai_advdefense.data import malc2012_datalist
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.guard.fit_screen import CleanVolume
from monai_advdefense.guard.scores.foreground import area, foreground
from monai_advdefense.guard.scores.native_resolution import resolution_covariates
from monai_advdefense.guard.screen import Screen
from monai_advdefense.guard.typicality_by_resolution import as_other_scan, other_size
from monai_advdefense.guard.volume_numbers import volume_numbers
from monai_advdefense.metrics import dice_from_counts
from monai_advdefense.weights import load_weights

# Of volumes that are spoilt as a whole every fourth slice is measured, of others those that are spoilt.
EVERY = 4
AMONG_CLEAN = ("every tenth slice 0.6 as bright",)
# Slices with less of the object are not attacked.
SMALLEST = 150
# A structure of at least so many pixels and of this Dice is worth erasing.
ERASED_PIXELS, ERASED_DICE = 50, 0.7
BATCH = 4


@dataclass(frozen=True)
class Attacked:
    """Attacked slices, their places in the volume, and the structure to erase in each, 0 for none."""

    image: Tensor
    index: Tensor
    structure: Tensor


@dataclass(frozen=True)
class Measured:
    """Volumes of one split.

    Attributes:
        dataset_dir: data in the layout of MALC 2012.
        split: its name.
        bundles: folder of the bundles.
        work_dir: what was measured; other weights of the networks have a folder of their own in it.
        screen_weights: of the screen that judges; what was measured is the same for any.
        overlays: of the composite, such as one that names other weights of its networks.
    """

    dataset_dir: Path
    split: str
    bundles: Path
    work_dir: Path
    screen_weights: Path
    overlays: tuple[str, ...] = ()

    @cached_property
    def cases(self) -> list[dict[str, str]]:
        """The volumes, each with the name of its ``scan``."""
        found = malc2012_datalist(self.dataset_dir, self.split)
        return [{**case, "scan": Path(case["image"]).name.partition(".")[0]} for case in found]

    @property
    def first_cases(self) -> list[dict[str, str]]:
        """The first volume of each subject."""
        return list({case["subject"]: case for case in reversed(self.cases)}.values())[::-1]

    @cached_property
    def network(self) -> Network:
        """The guard that is measured."""
        return load_guard(self.bundles, *self.overlays)

    @property
    def guard(self) -> DefendedSegmenter:
        """Its networks."""
        return self.network.guard

    @cached_property
    def num_classes(self) -> int:
        """Number of classes, background included."""
        return int(segmenter_config(self.bundles, self.dataset_dir).get_parsed_content("num_classes"))

    @cached_property
    def screen(self) -> Screen:
        """The screen that is measured."""
        screen = Screen(self.num_classes)
        load_weights(self.screen_weights, screen, require_calibrated=True)
        return screen

    def clean(self, case: dict[str, str]) -> Examined:
        """A clean volume, all slices."""

        def compute() -> Examined:
            image, label = self.volume(case)
            none = torch.zeros(len(image), dtype=torch.bool)
            index = torch.arange(len(image))
            return self.examined(image, label, index=index, position=positions(image), changed=none)

        return cast(Examined, self.kept(_file(CLEAN, case), compute))

    def to_fit(self, case: dict[str, str], number: int) -> CleanVolume:
        """What a screen is fitted on of a clean volume, the ``number``-th of all."""

        def compute() -> CleanVolume:
            image, _ = self.volume(case)
            generator = torch.Generator().manual_seed(sum(map(ord, case["scan"])))
            numbers = volume_numbers(image, case["subject"], generator=generator)
            covariates = resolution_covariates(other_size(number))
            resampled = volume_numbers(
                as_other_scan(image, number), case["subject"], generator=generator, covariates=covariates
            )
            return CleanVolume(numbers, resampled, self.clean(case).prediction, self._copy(case, number).prediction)

        return cast(CleanVolume, self.kept(f"to_fit/{number}_{case['scan']}", compute))

    def _copy(self, case: dict[str, str], number: int) -> Examined:
        """A clean volume as from another scan, all slices."""

        def compute() -> Examined:
            image, label = self.volume(case)
            copy = as_other_scan(image, number)
            return self.examined(copy, label, index=torch.arange(len(image)), position=positions(copy))

        return cast(Examined, self.kept(f"other_scan/{number}_{case['scan']}", compute))

    def spoilt(self, case: dict[str, str], name: str) -> Examined:
        """Some slices of a volume that is spoilt as :data:`~experiments.screen.conditions.SPOILT` says.

        Those that the image alone rejects are not predicted: it would change no decision. If another screen needs more
        predictions, they are made up.
        """

        def compute() -> Examined:
            image, _ = self.volume(case)
            spoilt = SPOILT[name](image)
            changed = changed_slices(image, spoilt)
            index = torch.nonzero(changed)[:, 0] if name in AMONG_CLEAN else torch.arange(0, len(image), EVERY)
            place = {"index": index, "position": positions(spoilt)[index], "changed": changed[index]}
            return examine(spoilt[index], num_classes=self.num_classes, **place)

        file = _file(name, case)
        found = cast(Examined, self.kept(file, compute))
        needed = ~found.blank & ~found.predicted
        if name not in AMONG_CLEAN:
            native = VOXEL_SIZES.get(name)
            needed &= ~rejected_by_image(self.screen, found.features, found.prediction.position, native)
        if needed.any():
            image, label = self.volume(case)
            spoilt = SPOILT[name](image)[found.index]
            found = predicted(found, self.guard, spoilt, label[found.index], needed)
            self._write(file, found)
        return found

    def attacked(self, case: dict[str, str], name: str) -> tuple[Examined, Tensor]:
        """Attacked slices of a volume, and the structure to erase in each."""
        found = self.crafted(case, name)

        def compute() -> Examined:
            image, label = self.volume(case)
            place = positions(image)[found.index]
            return self.examined(found.image, label[found.index], index=found.index, position=place)

        return cast(Examined, self.kept(self._attack_file(name, case), compute)), found.structure

    def crafted(self, case: dict[str, str], name: str) -> Attacked:
        """The attacked slices themselves."""

        def compute() -> Attacked:
            image, _ = self.volume(case)
            index = self.chosen(image, ATTACKS[name].slices)
            structure = worth_erasing(self.clean(case).reformed[index])
            parts = zip(index.split(BATCH), structure.split(BATCH), strict=True)
            found = [ATTACKS[name].craft(self.attackable(case, *part)) for part in parts]
            return Attacked(torch.cat(found), index, structure)

        return cast(Attacked, self.kept(f"crafted/{self._attack_file(name, case)}", compute))

    def attackable(self, case: dict[str, str], index: Tensor, structure: Tensor) -> Attackable:
        """Some slices of a clean volume, and a structure to erase in each, for who attacks them."""
        image, label = self.volume(case)
        label = label.masked_fill(image[:, 0] <= 0, 0)
        return Attackable(self.guard, self.screen, self.clean(case), image[index], label[index], index, structure)

    def _attack_file(self, name: str, case: dict[str, str]) -> str:
        """Name of what is kept of an attack; of one that knows the scores for each screen another."""
        known = f"{file_sha256(self.screen_weights)[:8]}_" if ATTACKS[name].knows_scores else ""
        return _file(f"{known}{name}", case)

    @staticmethod
    def chosen(image: Tensor, count: int) -> Tensor:
        """Slices to attack, evenly spaced among those that show enough."""
        shown = np.flatnonzero((area(foreground(image)) > SMALLEST).numpy())
        return torch.from_numpy(shown[evenly_spaced(np.zeros(len(shown), int), count)])

    def volume(self, case: dict[str, str]) -> tuple[Tensor, Tensor]:
        """Preprocessed slices ``(S, 1, X, Z)`` and their classes ``(S, X, Z)``."""
        return _loaded(self.bundles, self.dataset_dir, case["image"], case["label"])

    def examined(self, image: Tensor, label: Tensor, **place: Tensor) -> Examined:
        """Examine and predict all slices."""
        found = examine(image, num_classes=self.num_classes, **place)
        return predicted(found, self.guard, image, label, ~found.blank)

    def cases_of(self, name: str) -> list[dict[str, str]]:
        """The volumes that a condition is measured on."""
        return self.first_cases if name in ATTACKS and ATTACKS[name].one_volume else self.cases

    def is_kept(self, name: str) -> bool:
        """Whether a condition was measured on all its volumes."""
        file = self._attack_file if name in ATTACKS else _file
        return all(self.has(file(name, case)) for case in self.cases_of(name))

    def has(self, name: str) -> bool:
        """Whether something was kept under a name."""
        return self.place(name).is_file()

    def place(self, name: str) -> Path:
        """Where something is kept under a name."""
        return self.work_dir / self.network.sha256[:16] / f"{name}.pt"

    def kept(self, name: str, compute: Callable[[], Any]) -> Any:
        """Read what was kept under a name, after having computed it if it was not."""
        if not self.has(name):
            self._write(name, compute())
        # Files that this class wrote itself.
        return torch.load(self.place(name), weights_only=False)

    def _write(self, name: str, found: Any) -> None:
        path = self.place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            torch.save(found, temporary)


def kept_in(bundles: Path) -> Path:
    """Folder of the measurements where none is named."""
    return bundles / "brain_mri_defended_segmentation" / "eval" / "screen"


def worth_erasing(counts: Tensor) -> Tensor:
    """For each slice a structure that is large enough and well segmented, drawn by chance; 0 where there is none."""
    good = (dice_from_counts(counts) >= ERASED_DICE) & (counts[..., 2] >= ERASED_PIXELS)
    good[:, 0] = False
    draw = torch.rand(good.shape, generator=torch.Generator().manual_seed(0))
    return torch.where(good.any(1), (draw * good).argmax(1), 0)


@lru_cache(maxsize=8)
def _loaded(bundles: Path, dataset_dir: Path, image: str, label: str) -> tuple[Tensor, Tensor]:
    config = segmenter_config(bundles, dataset_dir)
    loaded = config.get_parsed_content("train#preprocessing")({"image": image, "label": label})
    slices, classes = (torch.as_tensor(loaded[key]).as_subclass(Tensor)[0].movedim(1, 0) for key in ("image", "label"))
    return slices[:, None].float().contiguous(), classes.long().contiguous()


def _file(name: str, case: dict[str, str]) -> str:
    return f"{name.replace(' ', '_').replace('/', '_')}/{case['scan']}"
