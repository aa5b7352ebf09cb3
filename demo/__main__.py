"""Fit the guard on generated brains, then let it look at a clean one and at three spoilt copies, on one page."""

from __future__ import annotations

import argparse
import logging
import shutil
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from demo.page import write_page
from monai_advdefense.atomic_path import atomic_path
from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.commands.attack import attack
from monai_advdefense.commands.calibrate import calibrate
from monai_advdefense.commands.options import DEFENDED_SEGMENTER
from monai_advdefense.commands.screen import screen
from monai_advdefense.data import volume_datalist
from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import exit_on_error
from monai_advdefense.messages import broken_rule

__all__ = ["main", "write_copies"]

# Seeds of the calibration split, and the first of the test split: nothing was trained or calibrated on that.
_CLEAN_SEED, _SUBJECTS = 800, 20
_SEED = 900
# Eight coronal slices of each brain, in mm, so that it takes a minute.
_CORONAL = (-25.0, -18.0)
_ATTACKED = 4
_COPIES = ("clean", "attacked", "blurred", "half_missing")


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Fit the guard on generated brains, then let it look at a clean one and at three spoilt copies, on one page."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=main.__doc__)
    parser.add_argument("--output_dir", default="demo", help="folder of all results; older ones are replaced")
    parser.add_argument("--bundle", default=DEFENDED_SEGMENTER, help="name or folder of the bundle")
    options = parser.parse_args(arguments)
    bundle, folder = find_bundle(options.bundle), Path(options.output_dir).resolve()
    inputs, outputs, fitted = folder / "input", folder / "output", folder / "screen.pt"
    _refuse_strangers(inputs)
    start = time.monotonic()

    _step(1, f"generate slices of {_SUBJECTS} brains from the MNI152 template, and of one more")
    clean = write_template_samples(folder / "clean_brains", _SUBJECTS, first_seed=_CLEAN_SEED, coronal=_CORONAL)
    [sample] = write_template_samples(folder / "sample", 1, first_seed=_SEED, coronal=_CORONAL)

    images = clean[0].parent
    _step(2, "fit the guard on them: the shipped one is for real brains, and generated ones are foreign to it")
    _tell("calibrate", images, "-o", fitted)
    calibrate(images, fitted, bundle=bundle)

    _step(3, "spoil copies of the one more: attacked, blurred, half missing")
    write_copies(sample, inputs)
    _tell("attack", inputs / "clean.nii.gz", "-o", folder / "attack", "--slices", _ATTACKED)
    attack(inputs / "clean.nii.gz", folder / "attack", bundle=bundle, slices=_ATTACKED)
    shutil.copyfile(folder / "attack" / "clean_attacked.nii.gz", inputs / "attacked.nii.gz")

    _step(4, "segment all four behind the guard")
    _tell("screen", inputs, "-o", outputs, "--screen", fitted)
    screen(inputs, outputs, bundle=bundle, screen_file=fitted, resume=False)

    page = write_page(folder / "demo.html", {name: inputs / f"{name}.nii.gz" for name in _COPIES}, outputs, bundle)
    print(f"\nside by side: {page}\ntook {time.monotonic() - start:.0f} s")


def write_copies(sample: Path, folder: Path) -> None:
    """Write a sample as ``clean.nii.gz``, and beside it a copy that is smooth and one of which half is missing.

    Raises:
        OutputError: a file cannot be written.
    """
    volume = nib.load(sample)
    clean = np.asarray(volume.dataobj).astype(np.float32)  # type: ignore[attr-defined]
    smooth = np.where(clean > 0, np.maximum(gaussian_filter(clean, (1.5, 0, 1.5)), 1), 0)
    half = clean.copy()
    half[: len(half) // 2] = 0
    for name, values in (("clean", clean), ("blurred", smooth), ("half_missing", half)):
        with atomic_path(folder / f"{name}.nii.gz") as temporary:
            nib.save(nib.Nifti1Image(values.astype(np.float32), volume.affine), temporary)  # type: ignore[attr-defined]


def _refuse_strangers(folder: Path) -> None:
    """All volumes in the folder are segmented, and nothing of the user's is replaced."""
    known = {f"{name}.nii.gz" for name in _COPIES}
    there = volume_datalist(folder) if any(folder.rglob("*.nii*")) else []
    strangers = [case["image"] for case in there if Path(case["image"]).name not in known]
    if strangers:
        rule = "only volumes of an earlier demo in this folder"
        raise broken_rule(strangers[0], rule, "another", "give another --output_dir")


def _step(number: int, title: str) -> None:
    print(f"\n[{number}/4] {title}", flush=True)


def _tell(*words: object) -> None:
    print(f"      $ advdefense {' '.join(map(str, words))}", flush=True)


if __name__ == "__main__":
    # What the verbs say is enough here; MONAI's log and its warnings are for long runs.
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore", UserWarning)
    main()
