from __future__ import annotations

import shutil

import pytest

from monai_advdefense.commands.calibrate import calibrate
from monai_advdefense.data.phantom import write_phantom_dataset
from monai_advdefense.errors import CalibrationError, InputError


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    return write_phantom_dataset(tmp_path_factory.mktemp("volumes"), 5, shape=(24, 12, 24)) / "images"


def test_too_few_volumes_are_refused_before_anything_is_computed(volumes, tmp_path):
    with pytest.raises(CalibrationError, match="at least 19 subjects for a rate of 0.05 of volumes, found 5"):
        calibrate(volumes, tmp_path / "screen.pt")
    with pytest.raises(InputError, match="expected a number between 0 and 1, found 2"):
        calibrate(volumes, tmp_path / "screen.pt", volume_rate=2)
    assert not (tmp_path / "screen.pt").exists()


def test_options_become_overrides_of_the_bundle(volumes, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("monai_advdefense.bundle_tools.run_bundle.run_bundle", lambda *words: seen.append(words))
    calibrate(volumes, tmp_path / "screen.pt", false_alarm_rate=0.25, volume_rate=0.25, device="cpu")
    ((bundle, configs, overrides),) = seen
    assert bundle.name == "brain_mri_defended_segmentation"
    assert configs == [bundle / "configs" / f"{name}.json" for name in ("inference", "calibrate")]
    assert overrides == {
        "clean_volumes": [{"image": str(path)} for path in sorted(volumes.iterdir())],
        "dataset_dir": str(volumes),
        "screen_path": str(tmp_path / "screen.pt"),
        "false_positive_rate": 0.25,
        "volume_rate": 0.25,
        "device": "cpu",
    }


def test_labels_are_found_by_the_names_of_the_volumes(volumes, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("monai_advdefense.bundle_tools.run_bundle.run_bundle", lambda *words: seen.append(words))
    paths = sorted(volumes.iterdir())
    (tmp_path / "labels").mkdir()
    with pytest.raises(InputError, match=f"such as {paths[0].name}, found 0 other NIfTI files: rename them"):
        calibrate(volumes, tmp_path / "screen.pt", volume_rate=0.25, labels=tmp_path / "labels")
    labels = [tmp_path / "labels" / path.name.removesuffix(".gz") for path in paths]
    for path in labels[1:]:
        path.touch()
    calibrate(volumes, tmp_path / "screen.pt", volume_rate=0.25, labels=tmp_path / "labels")
    first, second = seen[0][2]["clean_volumes"][:2]
    assert (first, second) == ({"image": str(paths[0])}, {"image": str(paths[1]), "label": str(labels[1])})
    labels[1].with_name(paths[1].name).touch()
    with pytest.raises(InputError, match=rf"expected labels of different names, found .*{labels[1].name} and"):
        calibrate(volumes, tmp_path / "screen.pt", volume_rate=0.25, labels=tmp_path / "labels")
    with pytest.raises(InputError, match="--labels: expected no --network beside it"):
        calibrate(volumes, tmp_path / "screen.pt", network=tmp_path, labels=tmp_path)


def test_volumes_of_the_same_name_in_two_folders_cannot_have_labels_by_their_names(volumes, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("monai_advdefense.bundle_tools.run_bundle.run_bundle", lambda *words: seen.append(words))
    path, *_ = sorted(volumes.iterdir())
    for folder in ("a", "b", "labels"):
        (tmp_path / folder).mkdir()
        shutil.copy(path, tmp_path / folder / path.name)
    others = [str(other) for other in sorted(volumes.iterdir())[1:]]
    data = [tmp_path / "a", tmp_path / "b", *others]
    with pytest.raises(InputError, match=r"expected volumes of different names, found \S+/a/\S+ and \S+/b/\S+: rename"):
        calibrate(data, tmp_path / "screen.pt", volume_rate=0.5, labels=tmp_path / "labels")
    assert not seen
    calibrate(data, tmp_path / "screen.pt", volume_rate=0.5)
    assert len(seen[0][2]["clean_volumes"]) == 6
