import csv

import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.data.checks.volume_file import check_volume_file
from monai_advdefense.data.phantom import brain_phantom, write_phantom_dataset
from monai_advdefense.errors import InputError


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("shape", "classes"), [((24, 28, 20), 2), ((24, 28, 20), 4), ((48, 48, 48), 9)])
def test_a_phantom_is_a_skull_stripped_brain(shape, classes):
    image, label = brain_phantom(shape, seed=3, classes=classes)
    assert image.shape == label.shape == shape
    assert (image.dtype, label.dtype) == (np.int16, np.uint8)
    assert np.array_equal(np.unique(label), np.arange(classes))
    assert np.array_equal(image > 0, label > 0)
    assert image.min() == 0
    assert 1000 < image.max() <= 2000
    assert 0.1 < (label > 0).mean() < 0.5


def test_the_seed_decides():
    first, again, other = (brain_phantom((20, 20, 20), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert (first[1] != other[1]).mean() > 0.01


def test_tissues_differ_more_than_noise():
    image, label = brain_phantom((32, 32, 32), seed=0)
    cortex, white = image[label == 1].astype(float), image[label == 2].astype(float)
    assert white.mean() - cortex.mean() > 2 * max(cortex.std(), white.std())


def test_structures_lie_in_both_hemispheres():
    _, label = brain_phantom((32, 32, 32), seed=0, classes=5)
    for number in (3, 4):
        assert (label[:16] == number).any()
        assert (label[16:] == number).any()


@pytest.mark.parametrize(("shape", "classes"), [((8, 8, 8), 28), ((32, 32, 32), 1)])
def test_too_many_or_too_few_classes_are_refused(shape, classes):
    with pytest.raises(InputError, match="classes: expected room for"):
        brain_phantom(shape, seed=0, classes=classes)


def test_a_dataset_has_the_layout_of_the_real_one(tmp_path):
    folder = write_phantom_dataset(tmp_path / "data", 5, shape=(16, 20, 18), seed=7, classes=4)
    subjects = _rows(folder / "subjects.csv")
    assert [row["split"] for row in subjects] == ["train", "validation", "calibration", "test", "train"]
    assert len({row["subject"] for row in subjects}) == 5
    merge = {
        int(source): int(row["class"])
        for row in _rows(folder / "classes.csv")
        for source in row["source_labels"].split()
    }
    assert set(merge.values()) == {0, 1, 2, 3}
    for number, row in enumerate(subjects):
        image_path, label_path = (folder / kind / f"{row['scan']}.nii.gz" for kind in ("images", "labels"))
        check_volume_file(image_path)
        image, label = nib.load(image_path), nib.load(label_path)
        expected_image, expected_label = brain_phantom((16, 20, 18), seed=7 + number, classes=4)
        assert np.array_equal(image.dataobj, expected_image)
        assert np.array_equal(np.vectorize(merge.__getitem__)(np.asarray(label.dataobj)), expected_label)
        assert nib.aff2axcodes(image.affine) == nib.aff2axcodes(label.affine) == ("L", "A", "S")


def test_another_data_set_is_not_replaced(tmp_path):
    write_phantom_dataset(tmp_path, 2, shape=(12, 12, 12))
    write_phantom_dataset(tmp_path, 2, shape=(12, 12, 12))
    (tmp_path / "subjects.csv").write_text("scan,subject,sex,age,split\n1000,me,F,30,train\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(InputError, match="subjects.csv: .+another data set"):
        write_phantom_dataset(tmp_path, 2, shape=(12, 12, 12))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before
