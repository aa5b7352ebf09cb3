"""Check that the MONAI Deploy application gives voxel by voxel what `monai.bundle run` gives.

python -m examples.monai_deploy.check --python ENVIRONMENT/bin/python
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from examples.attacked_sample import BUNDLE, defend, run_logged, write_attacked_sample
from monai_advdefense.errors import OutputError, exit_on_error

_APP = Path(__file__).with_name("app.py")


@exit_on_error
def main(arguments: Sequence[str] | None = None) -> None:
    """Export the bundle, run the application and `monai.bundle run` on a volume with attacked slices, and compare."""
    parser = argparse.ArgumentParser(prog="python -m examples.monai_deploy.check", description=main.__doc__)
    parser.add_argument("--python", type=Path, required=True, help="interpreter of the application's environment")
    parser.add_argument("--work_dir", type=Path, default=Path("build/examples"), help="folder of all files")
    options = parser.parse_args(arguments)
    work = options.work_dir.resolve()

    volume = write_attacked_sample(work)
    expected, _ = defend(volume, work / "bundle")

    print("export ...", flush=True)
    model = work / "model.ts"
    configs = BUNDLE / "configs"
    command = [sys.executable, "-m", "monai.bundle", "ckpt_export", "network_def", "--bundle_root", str(BUNDLE)]
    command += ["--config_file", str(configs / "inference.json"), "--meta_file", str(configs / "metadata.json")]
    command += ["--ckpt_file", str(BUNDLE / "models" / "model.pt"), "--filepath", str(model)]
    run_logged(command, work / "log_export.txt")

    print("the application ...", flush=True)
    found = work / "deploy" / expected.name
    found.unlink(missing_ok=True)
    # absolute, but not resolved: the link leads out of the environment.
    command = [str(options.python.absolute()), str(_APP), "-i", str(volume), "-o", str(found.parent), "-m", str(model)]
    run_logged(command, work / "log_deploy.txt")
    _compare(expected, found)


def _compare(expected_path: Path, found_path: Path) -> None:
    if not found_path.is_file():
        raise OutputError(f"{found_path}: expected a segmentation, found none: see the log of the application")
    expected, found = nib.load(expected_path), nib.load(found_path)
    labels, other = np.asarray(expected.dataobj), np.asarray(found.dataobj)
    if labels.shape != other.shape or not np.array_equal(expected.affine, found.affine):
        raise OutputError(f"{found_path}: expected shape and affine of {expected_path}, found others")
    different = int((labels != other).sum())
    if different:
        raise OutputError(f"{found_path}: expected {expected_path}, found {different} other voxels of {labels.size}")
    rejected = int((labels == 28).any(axis=(1, 2)).sum())
    if rejected == 0 or np.unique(labels).size < 20:
        raise OutputError(f"{expected_path}: expected structures and rejected slices, found too few of them")
    print(f"all {labels.size} voxels and the affine are equal; {rejected} slices rejected")


if __name__ == "__main__":
    main()
