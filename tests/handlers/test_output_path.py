import pytest

from monai_advdefense.errors import InputError
from monai_advdefense.handlers import output_path


def test_paths_mirror_those_of_the_inputs(tmp_path):
    def named(source, *arguments):
        return output_path(tmp_path / source, tmp_path, "/out", *arguments).as_posix()

    assert named("a.nii") == named("a.nii.gz") == "/out/a_seg.nii.gz"
    assert named("s1/t1.nii.gz") == "/out/s1/t1_seg.nii.gz"
    assert named("s2/t1.nii.gz", "scores", ".csv") == "/out/s2/t1_scores.csv"
    assert named("T1.v2.NII.GZ") == "/out/T1.v2_seg.nii.gz"
    assert named("ü b;$(x).nii") == "/out/ü b;$(x)_seg.nii.gz"
    assert output_path("/data/a.nii", "/data/a.nii", "/out").as_posix() == "/out/a_seg.nii.gz"
    assert output_path("/data/x/../a.nii", "/data/y/..", "/out").as_posix() == "/out/a_seg.nii.gz"


def test_equal_names_with_other_endings_do_not_meet(tmp_path):
    names = ["a.nii", "a.nii.gz", "A.nii", "a.NII"]
    for name in names:
        (tmp_path / name).touch()
    for suffix in (".nii.gz", ".csv"):
        targets = {output_path(tmp_path / name, tmp_path, "/out", "x", suffix) for name in names}
        assert len(targets) == len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["a.NII", "a.nii"],
        ["a.Nii", "a.NII"],
        ["a.NII.GZ", "a.nii.GZ"],
        ["a.nii", "a.NII", "a.nii.gz", "a.nii.GZ", "a.nii.nii", "a.nii.nii.gz", "a.NII.nii"],
    ],
    ids=str,
)
def test_no_two_inputs_of_a_folder_share_a_result(names, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    targets = {output_path(tmp_path / name, tmp_path, "/out") for name in names}
    assert len(targets) == len(names)


@pytest.mark.parametrize(
    ("names", "short"),
    [(["a.nii", "a.nii.gz"], "a.nii.gz"), (["a.NII", "a.nii"], "a.nii"), (["a.Nii", "a.NII"], "a.NII")],
)
def test_one_of_them_has_the_short_name(names, short, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    for name in names:
        expected = "a_seg.nii.gz" if name == short else f"{name}_seg.nii.gz"
        assert output_path(tmp_path / name, tmp_path, "/out").name == expected


def test_an_input_by_way_of_a_link_is_inside(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.nii").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert output_path(tmp_path / "real" / "a.nii", tmp_path / "link", "/out").as_posix() == "/out/a_seg.nii.gz"


def test_an_input_elsewhere_is_refused():
    with pytest.raises(InputError, match="/other/a.nii: expected an input below /data"):
        output_path("/other/a.nii", "/data", "/out")


@pytest.mark.parametrize(("dataset", "out"), [("/data", "/data"), ("/data/a.nii", "/data"), ("/data", "/data/x/..")])
def test_results_do_not_mix_with_inputs(dataset, out):
    with pytest.raises(InputError, match="/data/a_seg.nii.gz: expected results away from the inputs"):
        output_path("/data/a.nii", dataset, out)


@pytest.mark.parametrize(("dataset", "out"), [("real", "link"), ("link", "real")])
def test_a_link_does_not_hide_that_results_would_lie_beside_the_inputs(dataset, out, tmp_path):
    (tmp_path / "real" / "site").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    source = tmp_path / dataset / "site" / "a.nii"
    source.touch()
    with pytest.raises(InputError, match="expected results away from the inputs"):
        output_path(source, tmp_path / dataset, tmp_path / out)
