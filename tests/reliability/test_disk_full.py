"""A full disk leaves no file under a final name that is not whole, and the older one stays."""

from __future__ import annotations

import resource
from contextlib import contextmanager

import nibabel as nib
import numpy as np
import pytest
import torch

from monai_advdefense.bundle_tools.package import package
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers.volume_writer import write_like
from monai_advdefense.weights import save_weights

SIZES = 20


@contextmanager
def _at_most(size):
    """No file may grow beyond so many bytes, which the system reports as it does a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _volume(folder):
    reference = folder / "inputs" / "a.nii"
    array = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    nib.save(nib.Nifti1Image(array, np.eye(4)), reference)
    return lambda path: write_like(array, reference, path, "float32")


def _bundle(folder):
    bundle = folder / "inputs" / "bundle"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "models").mkdir()
    (bundle / "configs" / "metadata.json").write_text('{"version": "1"}')
    (bundle / "models" / "model.pt").write_bytes(np.random.default_rng(0).bytes(9000))
    (bundle / "LICENSE").touch()
    return lambda path: package(bundle, path.parent)


WRITERS = {
    "a.nii": _volume,
    "a.nii.gz": _volume,
    "model.pt": lambda folder: lambda path: save_weights(torch.nn.Linear(40, 40), path),
    "bundle_v1.zip": _bundle,
}


def test_no_part_of_a_file_is_left(tmp_path, figure):
    (tmp_path / "inputs").mkdir()
    refused = 0
    for name, make in WRITERS.items():
        write, path = make(tmp_path), tmp_path / "out" / name
        write(path)
        older = path.read_bytes()
        for limit in np.linspace(0, len(older) - 1, SIZES).astype(int).tolist():
            for before in (None, older):
                path.unlink(missing_ok=True) if before is None else path.write_bytes(before)
                present = sorted((tmp_path / "out").iterdir())
                with _at_most(limit), pytest.raises(OutputError, match="expected to write here, .*: check free space"):
                    write(path)
                assert sorted((tmp_path / "out").iterdir()) == present
                assert before is None or path.read_bytes() == before
            refused += 1
    figure(f"{refused} of {refused} writes cut off at {SIZES} sizes leave nothing; older files stay")
