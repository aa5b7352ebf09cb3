"""Every input has a result of its own, which appears whole or not at all."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor

from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.errors import OutputError
from monai_advdefense.handlers import VolumeWriter
from monai_advdefense.runs import Outputs, RunLog

NAMES = [
    *("a.nii", "a.nii.gz", "a.NII", "A.nii", "a_seg.nii", "a.nii.nii.gz"),
    *("s1/t1.nii.gz", "s2/t1.nii.gz", "s2/s1/t1.nii.gz", "t1.nii.gz"),
    *("Jürgen Müller.nii", "日本.nii.gz", "two  spaces.nii", "-rf.nii", "$(date);&.nii", "%d{0}.nii", "a\nb.nii"),
    "n" * 200 + ".nii.gz",
]


def _run(folder, cases):
    engine = Engine(lambda engine, batch: batch)
    log = RunLog()
    VolumeWriter(Outputs(folder / "in", folder / "out"), log).attach(engine)
    engine.run(cases)
    return log.failures


def _case(path, value):
    image = MetaTensor(torch.zeros(1, 4, 5, 6), meta={"filename_or_obj": str(path)})
    return [{"image": image, "pred": torch.full((1, 4, 5, 6), value)}]


def test_as_many_results_as_inputs(tmp_path, figure):
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4)), path)
    found = [case["image"] for case in volume_datalist(tmp_path / "in")]
    assert len(found) == len(NAMES)
    assert _run(tmp_path, [_case(path, number) for number, path in enumerate(found)]) == []
    results = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    values = sorted(int(np.asarray(nib.load(path).dataobj).max()) for path in results)
    assert values == list(range(len(NAMES)))
    figure(f"{len(NAMES)} inputs of hostile names, {len(results)} results")


def test_results_never_take_the_place_of_a_file(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="output_dir: expected a folder that can be written"):
        Outputs(tmp_path / "in", tmp_path / "out" / "x").prepare()
    assert (tmp_path / "out").read_text() == "a file"
