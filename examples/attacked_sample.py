"""A volume with attacked slices for the examples, and what `monai.bundle run` says about it."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, OutputError

__all__ = [
    "BUNDLE",
    "REJECTED",
    "compare_segmentations",
    "defend",
    "read_decisions",
    "run_logged",
    "write_attacked_sample",
]

BUNDLE = Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation"
REJECTED = 28
"""Class of rejected slices."""

# The first sample of the test split: nothing was trained or calibrated on it.
_SEED = 900


def write_attacked_sample(folder: Path) -> Path:
    """Write a generated brain of which some evenly spaced coronal slices are attacked; an earlier one is kept.

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
    [generated] = write_template_samples(folder / "template", 1, first_seed=_SEED)
    clean = folder / "clean" / "sample.nii.gz"
    clean.parent.mkdir(parents=True, exist_ok=True)
    canonical = nib.load(generated)
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(("P", "I", "R"))
    )
    nib.save(canonical.as_reoriented(turn), clean)
    _run_bundle(["inference", "attack"], clean, attacked.parent, "--slices", "8")
    return attacked


def defend(volume: Path, output: Path) -> tuple[Path, Path]:
    """Segment a volume by ``monai.bundle run`` and return the segmentation and the table of the decisions.

    Raises:
        OutputError: if the run fails.
    """
    print("monai.bundle run ...", flush=True)
    _run_bundle(["inference", "combined"], volume, output)
    name = volume.name.removesuffix(".nii.gz")
    return output / f"{name}_seg.nii.gz", output / f"{name}_scores.csv"


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


def read_decisions(path: Path) -> dict[int, str]:
    """Decision by slice of the input, from a ``NAME_scores.csv``; blank slices and those beyond the input left out.

    Raises:
        InputError: if the file cannot be read as such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                int(row["input_index"]): row["decision"]
                for row in csv.DictReader(file)
                if row["input_index"] and row["decision"] != "blank"
            }
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected the score table of a volume, found {error}: run this again") from error


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


def _run_bundle(names: Sequence[str], dataset: Path, output: Path, *options: str) -> None:
    files = ",".join(f"'{BUNDLE / 'configs' / name}.json'" for name in names)
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(BUNDLE), "--config_file", f"[{files}]"]
    command += ["--dataset_dir", str(dataset), "--output_dir", str(output), *options]
    run_logged(command, output.parent / f"log_{names[-1]}.txt")
