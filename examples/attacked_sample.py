"""A volume with attacked slices for the examples, and what `monai.bundle run` says about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib

from monai_advdefense.data.template_sample import write_template_samples
from monai_advdefense.errors import InputError, OutputError

__all__ = ["BUNDLE", "defend", "run_logged", "write_attacked_sample"]

BUNDLE = Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation"
# The first sample of the test split: nothing was trained or calibrated on it.
_SEED = 900


def write_attacked_sample(folder: Path, *, slices: int = 8) -> Path:
    """Write a generated brain of which some evenly spaced coronal slices are attacked; an earlier one is kept.

    Args:
        folder: gets ``input/sample_attacked.nii.gz`` and what led to it.
        slices: number of attacked slices.

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
    _run_bundle(["inference", "attack"], clean, attacked.parent, "--slices", str(slices))
    return attacked


def defend(volume: Path, output: Path) -> tuple[Path, Path]:
    """Segment a volume by ``monai.bundle run`` and return the segmentation and the table of the decisions.

    Raises:
        OutputError: if the run fails.
    """
    print("monai.bundle run ...", flush=True)
    _run_bundle(["inference"], volume, output)
    name = volume.name.removesuffix(".nii.gz")
    return output / f"{name}_seg.nii.gz", output / f"{name}_scores.csv"


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
