import nibabel as nib
import numpy as np
import pytest

from monai_advdefense.data.malc2012 import malc2012_classes, malc2012_datalist, malc2012_source_labels
from monai_advdefense.data.phantom import brain_phantom, write_phantom_dataset
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import MergeLabels


@pytest.fixture
def folder(tmp_path):
    return write_phantom_dataset(tmp_path / "phantoms", 5, shape=(16, 16, 16), seed=3)


def _stopped(function, *arguments):
    """What a call says that is refused."""
    with pytest.raises(InputError) as error:
        function(*arguments)
    return str(error.value)


@pytest.mark.parametrize(
    ("split", "numbers"), [("train", [0, 4]), ("validation", [1]), ("calibration", [2]), ("test", [3])]
)
def test_datalist_holds_the_cases_of_its_split(folder, split, numbers):
    assert malc2012_datalist(str(folder), split) == [
        {
            "image": str(folder / "images" / f"{1000 + number}.nii.gz"),
            "label": str(folder / "labels" / f"{1000 + number}.nii.gz"),
            "subject": f"P{number:04d}",
            "domain": "phantoms",
        }
        for number in numbers
    ]


def test_source_labels_merge_to_the_classes_that_were_drawn(folder):
    assert malc2012_classes(folder) == ["background", "structure 1", "structure 2", "structure 3"]
    merge = MergeLabels(malc2012_source_labels(folder))
    [case] = malc2012_datalist(folder, "validation")
    source = np.asarray(nib.load(case["label"]).dataobj)
    np.testing.assert_array_equal(merge(source), brain_phantom((16, 16, 16), seed=4)[1])


def test_listed_labels_that_no_class_names_are_background(folder):
    (folder / "labels.csv").write_text("Label Number,Label Name\n11,cortex\n77,vessel\n5,lesion\n")
    assert malc2012_source_labels(folder) == [[0, 5, 77], [11, 12], [21, 22], [31, 32]]
    classes = (folder / "classes.csv").read_text()
    (folder / "classes.csv").write_text(classes.replace("background,0", "background,0 99"))
    assert malc2012_source_labels(folder, num_classes=4)[0] == [0, 99, 5, 77]


def test_without_a_list_of_labels_only_the_classes_count(folder):
    groups = malc2012_source_labels(folder)
    assert groups == [[0], [11, 12], [21, 22], [31, 32]]
    with pytest.raises(InputError, match="found 77 in 1 voxels"):
        MergeLabels(groups)(np.array([77, 11]))


def test_another_number_of_classes_is_refused(folder):
    line = _stopped(malc2012_source_labels, folder, 28)
    assert line.startswith(f"{folder / 'classes.csv'}: expected 28 classes, as num_classes says, found 4:")


def test_a_malformed_list_of_labels_is_named(folder):
    for content, found in (("Number\n5\n", "found Number:"), ("Label Number\nfive\n", "found five:")):
        (folder / "labels.csv").write_text(content)
        line = _stopped(malc2012_source_labels, folder)
        assert line.startswith(f"{folder / 'labels.csv'}: expected")
        assert found in line


def test_domain_is_the_folders_name_also_from_within(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert malc2012_datalist(".", "test")[0]["domain"] == "phantoms"


def test_a_byte_order_mark_of_a_spreadsheet_is_no_column_name(folder):
    path = folder / "subjects.csv"
    expected = malc2012_datalist(folder, "train")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert malc2012_datalist(folder, "train") == expected


@pytest.mark.parametrize("name", ["images/1001.nii.gz", "labels/1001.nii.gz", "subjects.csv"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    assert _stopped(malc2012_datalist, folder, "validation").startswith(f"{folder / name}: expected")


def test_a_missing_folder_is_named(tmp_path):
    assert str(tmp_path / "none" / "subjects.csv") in _stopped(malc2012_datalist, tmp_path / "none", "test")
    assert str(tmp_path / "none" / "classes.csv") in _stopped(malc2012_source_labels, tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "found no row"),
        (b"scan,subject,split\n", "found no row"),
        (b"scan,subject\n1,P1\n", "found scan, subject:"),
        (b"scan,subject,split\n1,P1\n", "in row 1"),
        (b"scan,subject,split\n1,\xff,train\n", "UTF-8"),
    ],
)
def test_a_malformed_subject_list_is_named(folder, content, found):
    (folder / "subjects.csv").write_bytes(content)
    line = _stopped(malc2012_datalist, folder, "train")
    assert line.startswith(f"{folder / 'subjects.csv'}: expected")
    assert found in line


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("1000,P0000,train\n1001,P0001,Test\n", "found 'Test' for scan 1001:"),
        ("1000,P0000,train\n1001,P0000,calibration\n", "found P0000 in train and calibration:"),
        ("1000,P0000,train\n1000,P0000,train\n", "found 1000 2 times:"),
    ],
)
def test_a_subject_list_that_would_leave_out_or_mix_scans_is_refused(folder, rows, found):
    (folder / "subjects.csv").write_text(f"scan,subject,split\n{rows}")
    line = _stopped(malc2012_datalist, folder, "train")
    assert line.startswith(f"{folder / 'subjects.csv'}: expected")
    assert found in line


def test_several_scans_of_a_subject_in_one_split(folder):
    (folder / "subjects.csv").write_text("scan,subject,split\n1000,P0000,train\n1001,P0000,train\n1002,P1,test\n")
    assert [case["subject"] for case in malc2012_datalist(folder, "train")] == ["P0000", "P0000"]


def test_an_unknown_split_is_refused(folder):
    assert "split: expected one of train, validation" in _stopped(malc2012_datalist, folder, "dev")


def test_an_empty_split_is_refused(folder):
    (folder / "subjects.csv").write_text("scan,subject,split\n1000,P0000,train\n")
    line = _stopped(malc2012_datalist, folder, "test")
    assert "subjects.csv: expected scans of split 'test', found none" in line


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("class,name\n0,background\n", "found class, name:"),
        ("class,name,source_labels\n0,background,0\n2,cortex,11\n", "found 0, 2:"),
        ("class,name,source_labels\n0,background,0\n1,cortex,11 x\n", "found x:"),
        ("class,name,source_labels\n0,background,0\n1,cortex\n", "in row 2"),
        ("class,name,source_labels\n0,background,0\n1,cortex,65536\n", "found 65536:"),
        ("class,name,source_labels\n0,background,0\n1,cortex,4 5\n2,white,5\n", "found 5 elsewhere:"),
        ("class,name,source_labels\n0,background,\n1,cortex,0\n", "found 0 elsewhere:"),
    ],
)
def test_a_malformed_class_list_is_named(folder, content, found):
    path = folder / "classes.csv"
    path.write_text(content)
    line = _stopped(malc2012_source_labels, folder)
    assert line.startswith(f"{path}: expected")
    assert found in line


def test_classes_raise_for_python_callers(folder):
    (folder / "classes.csv").unlink()
    with pytest.raises(InputError, match=r"classes\.csv: expected this file"):
        malc2012_classes(folder)
