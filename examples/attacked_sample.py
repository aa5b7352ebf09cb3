"""A guard and a volume with attacked slices for the examples, and what `monai.bundle run` says about it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, OutputError

__all__ = [
    "REJECTED",
    "compare_answers",
    "compare_segmentations",
    "defend",
    "fitted_bundle",
    "run_logged",
    "write_attacked_sample",
]

_BUNDLE = Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation"
REJECTED = 28
"""Class of rejected slices."""

# Of the stored sample: its axes are P, I, R.
_CORONAL = 0

# Seeds of the calibration split, and the first of the test split: nothing was trained or calibrated on that.
_CLEAN_SEED, _SUBJECTS = 800, 20
_SEED = 900
# Ten coronal slices of each brain, in mm, so that it takes a minute.
_SLICES = (-27.0, -18.0)
_ATTACKED = 4


def fitted_bundle(folder: Path) -> Path:
    """Copy the bundle and fit its screen on generated brains, to which the shipped one is foreign; an earlier is kept.

    Args:
        folder: gets ``guard/brain_mri_defended_segmentation``, and the brains.

    Raises:
        OutputError: if the calibration fails.
    """
    bundle = folder / "guard" / _BUNDLE.name
    screen = bundle / "models" / "screen" / "model.pt"
    if screen.is_file():
        return bundle
    print(f"the guard, fitted on {_SUBJECTS} generated brains ...", flush=True)
    brains = write_template_samples(folder / "brains", _SUBJECTS, first_seed=_CLEAN_SEED, coronal=_SLICES)
    ignored = shutil.ignore_patterns("runs", "eval", "*.ts", "screen", "denoiser")
    shutil.copytree(_BUNDLE, bundle, ignore=ignored, dirs_exist_ok=True)
    images = str(brains[0].parent)
    options = ("--clean_volumes", images, "--screen_path", str(screen))
    _run_bundle(["inference", "calibrate"], Path(images), folder / "calibration", *options)
    return bundle


def write_attacked_sample(folder: Path) -> Path:
    """Write slices of a generated brain of which some, evenly spaced, are attacked; an earlier one is kept.

    Args:
        folder: gets ``input/sample_attacked.nii.gz`` and what led to it.

    Returns:
        The volume. Its axes are not in the order that the bundle works in, so that a mistake in the geometry shows.

    Raises:
        OutputError: if the attack fails.
    """
    attacked = folder / "input" / "sample_attacked.nii.gz"
    if attacked.is_file():
        return attacked
    print("a sample brain, and an attack on some of its slices ...", flush=True)
    [generated] = write_template_samples(folder / "template", 1, first_seed=_SEED, coronal=_SLICES)
    clean = folder / "clean" / "sample.nii.gz"
    clean.parent.mkdir(parents=True, exist_ok=True)
    canonical = nib.load(generated)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(("P", "I", "R"))
    )
    nib.save(canonical.as_reoriented(turn), clean)
    _run_bundle(["inference", "attack"], clean, attacked.parent, "--slices", str(_ATTACKED))
    return attacked


def defend(volume: Path, bundle: Path, output: Path) -> tuple[Path, Path]:
    """Segment a volume by ``monai.bundle run`` and return the segmentation and the record of the verdict.

    Args:
        volume: NIfTI file.
        bundle: folder of the bundle with a fitted screen.
        output: folder of the results.

    Raises:
        OutputError: if the run fails.
    """
    print("monai.bundle run ...", flush=True)
    _run_bundle(["inference"], volume, output, bundle=bundle)
    name = volume.name.removesuffix(".nii.gz")
    return output / f"{name}_seg.nii.gz", output / f"{name}_scores.json"


def compare_segmentations(expected_path: Path, found_path: Path) -> None:
    """Print that two segmentations are equal, voxel by voxel.

    Args:
        expected_path: what ``monai.bundle run`` wrote.
        found_path: what another program wrote.

    Raises:
        OutputError: if they differ, or are not worth comparing.
    """
    if not found_path.is_file():
        raise OutputError(f"{found_path}: expected a segmentation, found none: see the logs beside its folder")
    expected, found = nib.load(expected_path), nib.load(found_path)
    labels, other = np.asarray(expected.dataobj), np.asarray(found.dataobj)
    # A server of NIfTI files may store the affine in another way.
    if labels.shape != other.shape or not np.allclose(expected.affine, found.affine, atol=1e-4):
        raise OutputError(
            f"{found_path}: expected shape {labels.shape} and affine {expected.affine.tolist()} of {expected_path}, "
            f"found {other.shape} and {found.affine.tolist()}: compare the versions with those of the requirements"
        )
    different = int((labels != other).sum())
    if different:
        raise OutputError(
            f"{found_path}: expected the labels of {expected_path}, found {different} other voxels of {labels.size}: "
            "compare the versions with those of the requirements"
        )
    if not (labels == REJECTED).any() or np.unique(labels).size < 20:
        raise OutputError(
            f"{expected_path}: expected structures and rejected slices, found too few of them: delete the folder, and "
            "run this again"
        )
    print(f"shape, affine and all {labels.size} voxels are those of monai.bundle run")


def compare_answers(record_path: Path, segmentation: Path, found: Mapping[str, Any]) -> None:
    """Print that verdict, cause and rejected slices are the same.

    Args:
        record_path: ``NAME_scores.json`` of ``monai.bundle run``.
        segmentation: segmentation that ``monai.bundle run`` wrote.
        found: what another program says of the volume.

    Raises:
        InputError: if the record cannot be read.
        OutputError: if they differ.
    """
    expected = _answer(record_path, segmentation)
    for name, value in expected.items():
        # Other versions of libraries round in another way.
        same = np.allclose(value, found.get(name, np.nan)) if isinstance(value, float) else value == found.get(name)
        if not same:
            raise OutputError(
                f"{name} of the answer: expected {value}, as in {record_path}, found {found.get(name)}: compare the "
                "versions with those of the requirements"
            )
    print(f"verdict {found['verdict']}, cause {found['cause']}, rejected slices {found['rejected_slices']}: the same")


def _answer(record_path: Path, segmentation: Path) -> dict[str, Any]:
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
        names = ("verdict", "cause", "spoke", "explanation", "p_value", "judged", "rejected", "expected_rejected")
        answer = {name: record[name] for name in names}
        rejected = (entry["input_index"] for entry in record["slices"] if entry["decision"] == "rejected")
        answer["rejected_slices"] = sorted(index for index in rejected if index is not None)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{record_path}: expected the record of a volume, found {error}: run this again") from error
    return {**answer, "slice_axis": _CORONAL, "slices": nib.load(segmentation).shape[_CORONAL]}


def run_logged(command: Sequence[str], log: Path) -> None:
    """Run a command; what it prints goes to a file, and is shown if it fails.

    Args:
        command: program and arguments.
        log: file for its output.

    Raises:
        InputError: if the program is not there.
        OutputError: if it fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        try:
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)  # noqa: S603
        except OSError as error:
            raise InputError(f"{command[0]}: expected a program, found {error.strerror}: check the path") from error
    if done.returncode != 0:
        print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
        raise OutputError(f"{log}: expected the command to succeed, found exit code {done.returncode}: see its log")


def _run_bundle(names: Sequence[str], dataset: Path, output: Path, *options: str, bundle: Path = _BUNDLE) -> None:
    files = ",".join(f"'{bundle / 'configs' / name}.json'" for name in names)
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(bundle), "--config_file", f"[{files}]"]
    command += ["--dataset_dir", str(dataset), "--output_dir", str(output), *options]
    run_logged(command, output.parent / f"log_{names[-1]}.txt")
