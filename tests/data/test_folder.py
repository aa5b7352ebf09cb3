import os

import pytest

from monai_advdefense.data.folder import volume_datalist
from monai_advdefense.errors import InputError


def _touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _names(root, **arguments):
    items = volume_datalist(root, **arguments)
    assert all(set(item) == {"image"} and os.path.isabs(item["image"]) for item in items)
    return [os.path.relpath(item["image"], root) for item in items]


def test_all_volumes_of_all_subfolders_are_listed_in_order(tmp_path):
    _touch(
        tmp_path, "b.nii", "a.nii.gz", "x/y/c.NII.GZ", "note.txt", "x/d.mgz", ".hidden.nii", ".git/e.nii", "._a.nii.gz"
    )
    assert _names(tmp_path) == ["a.nii.gz", "b.nii", "x/y/c.NII.GZ"]


def test_images_beside_labels_stand_for_the_folder(tmp_path):
    _touch(tmp_path, "images/1.nii.gz", "images/sub/2.nii", "labels/1.nii.gz", "stray.nii")
    assert _names(tmp_path) == ["images/1.nii.gz", "images/sub/2.nii"]


def test_images_without_labels_are_a_plain_subfolder(tmp_path):
    _touch(tmp_path, "images/1.nii.gz", "more/2.nii.gz")
    assert _names(tmp_path) == ["images/1.nii.gz", "more/2.nii.gz"]


def test_one_file_is_its_own_list_whatever_its_name(tmp_path):
    _touch(tmp_path, "a.nii", "b.nii", "c.txt")
    assert volume_datalist(tmp_path / "a.nii") == [{"image": str(tmp_path / "a.nii")}]
    assert volume_datalist(tmp_path / "c.txt") == [{"image": str(tmp_path / "c.txt")}]


def test_a_relative_folder_gives_absolute_paths(tmp_path, monkeypatch):
    _touch(tmp_path, "in/a.nii")
    monkeypatch.chdir(tmp_path)
    assert volume_datalist("in") == [{"image": str(tmp_path / "in/a.nii")}]


def test_a_broken_link_is_listed_so_that_it_is_reported(tmp_path):
    (tmp_path / "a.nii").symlink_to(tmp_path / "nowhere")
    assert _names(tmp_path) == ["a.nii"]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda root: None, "no such file or folder"),
        (lambda root: root.mkdir(), "found none"),
        (lambda root: _touch(root, "readme.txt", ".a.nii"), "found none"),
        (lambda root: _touch(root, "labels/1.nii", "images/readme.txt"), "found none"),
    ],
    ids=["missing", "empty", "no volume", "no image"],
)
def test_a_folder_without_volumes_is_refused(make, found, tmp_path):
    make(tmp_path / "data")
    with pytest.raises(InputError, match=f"{tmp_path / 'data'}.*: expected .*{found}"):
        volume_datalist(tmp_path / "data")


def test_an_unreadable_folder_is_refused(tmp_path, refuse_folder):
    _touch(tmp_path, "a.nii", "x/b.nii")
    refuse_folder("x")
    with pytest.raises(InputError, match="x: expected a readable folder, found Permission denied"):
        volume_datalist(tmp_path)


def test_results_inside_the_folder_are_no_inputs(tmp_path):
    _touch(tmp_path, "a.nii", "out/a_seg.nii", "outer/b.nii")
    assert _names(tmp_path, exclude=tmp_path / "out") == ["a.nii", "outer/b.nii"]
    assert _names(tmp_path, exclude=tmp_path / "elsewhere") == ["a.nii", "out/a_seg.nii", "outer/b.nii"]


@pytest.mark.parametrize("exclude", [".", "..", "images"])
def test_results_over_the_inputs_are_refused(exclude, tmp_path):
    _touch(tmp_path, "in/images/a.nii", "in/labels/a.nii")
    with pytest.raises(InputError, match="change output_dir"):
        volume_datalist(tmp_path / "in", exclude=tmp_path / "in" / exclude)


def test_a_link_does_not_hide_results_among_the_inputs(tmp_path):
    _touch(tmp_path, "in/a.nii", "in/out/a_seg.nii")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(InputError, match="change output_dir"):
        volume_datalist(tmp_path / "in", exclude=tmp_path / "link")
    assert _names(tmp_path / "in", exclude=tmp_path / "link" / "out") == ["a.nii"]


def test_several_inputs_are_one_list_and_none_may_hold_a_volume_twice(tmp_path):
    _touch(tmp_path, "x/b.nii", "y/a.nii.gz", "y/out/c.nii")
    found = volume_datalist([tmp_path / "y", tmp_path / "x" / "b.nii"], exclude=tmp_path / "y" / "out")
    assert found == [{"image": str(tmp_path / "x/b.nii")}, {"image": str(tmp_path / "y/a.nii.gz")}]
    with pytest.raises(InputError, match=r"b\.nii: expected each volume once, found it in two of the inputs"):
        volume_datalist([tmp_path / "x", tmp_path / "x" / "b.nii"])
