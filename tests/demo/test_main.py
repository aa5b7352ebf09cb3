from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from demo import __main__ as demo
from monai_advdefense.errors import OutputError


def _sample(folder):
    values = np.random.default_rng(0).integers(1, 1000, (20, 5, 18)).astype(np.int16)
    values[:2] = 0
    nib.save(nib.Nifti1Image(values, np.diag([1.0, 1.0, 1.0, 1.0])), folder / "sample.nii.gz")
    return folder / "sample.nii.gz", values


def test_copies_are_what_their_names_say(tmp_path):
    sample, values = _sample(tmp_path)
    demo.write_copies(sample, tmp_path / "input")
    clean, blurred, half = (
        np.asarray(nib.load(tmp_path / "input" / f"{name}.nii.gz").dataobj)
        for name in ("clean", "blurred", "half_missing")
    )
    assert np.array_equal(clean, values)
    assert not half[:10].any()
    assert np.array_equal(half[10:], values[10:])
    assert np.array_equal(blurred > 0, values > 0)
    inside = np.s_[6:-4, :, 4:-4]
    assert blurred[inside].std() < 0.5 * values[inside].std()
    # Slices are not mixed.
    assert abs(np.corrcoef(blurred[inside][:, 0].ravel(), values[inside][:, 1].ravel())[0, 1]) < 0.5


def test_copies_that_cannot_be_written_are_named(tmp_path):
    sample, _ = _sample(tmp_path)
    (tmp_path / "input").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="clean.nii.gz: expected to write here"):
        demo.write_copies(sample, tmp_path / "input")


def test_a_bundle_that_is_not_there_ends_before_anything_is_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        demo.main(["--output_dir", str(tmp_path / "out"), "--bundle", "nowhere"])
    assert end.value.code == 2
    assert "nowhere: expected a bundle" in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_volumes_is_left_as_it_is(tmp_path, capsys):
    other = tmp_path / "out" / "input" / "mine.nii.gz"
    other.parent.mkdir(parents=True)
    other.write_text("a scan")
    with pytest.raises(SystemExit) as end:
        demo.main(["--output_dir", str(tmp_path / "out")])
    assert end.value.code == 2
    assert "mine.nii.gz" in capsys.readouterr().err.strip().splitlines()[-1]
    assert other.read_text() == "a scan"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["input"]


def test_unknown_options_are_refused(capsys):
    with pytest.raises(SystemExit) as end:
        demo.main(["--outputs", "x"])
    assert end.value.code == 2
    assert "--outputs" in capsys.readouterr().err
