from __future__ import annotations

from pathlib import Path

import pytest

from monai_advdefense.bundle_tools.find_bundle import BUNDLE_DIR_VARIABLE, bundle_dirs, find_bundle
from monai_advdefense.errors import InputError


def _bundle(folder: Path, name: str) -> Path:
    (folder / name / "configs").mkdir(parents=True)
    (folder / name / "configs" / "metadata.json").write_text("{}")
    return folder / name


def test_the_checkout_is_found_by_name():
    assert (find_bundle("brain_mri_reformer") / "configs" / "inference.json").is_file()


def test_the_environment_wins_over_the_checkout_and_the_argument_over_both(tmp_path, monkeypatch):
    one = _bundle(tmp_path / "one", "brain_mri_reformer")
    other = _bundle(tmp_path / "other", "brain_mri_reformer")
    monkeypatch.setenv(BUNDLE_DIR_VARIABLE, str(tmp_path / "one"))
    assert find_bundle("brain_mri_reformer") == one
    assert find_bundle("brain_mri_reformer", tmp_path / "other") == other
    assert list(bundle_dirs(tmp_path / "other")) == [tmp_path / "other"]


def test_a_folder_is_taken_as_it_is(tmp_path, monkeypatch):
    bundle = _bundle(tmp_path, "mine")
    assert find_bundle(bundle) == bundle
    monkeypatch.chdir(tmp_path)
    assert find_bundle("mine") == bundle


def test_a_folder_with_an_inference_configuration_alone_is_a_bundle(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "inference.yaml").touch()
    assert find_bundle(tmp_path) == tmp_path


def test_what_is_not_there_is_refused_with_the_places_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv(BUNDLE_DIR_VARIABLE, str(tmp_path / "empty"))
    with pytest.raises(
        InputError, match=rf"^nothing: expected a bundle.*found none at {tmp_path}/empty, .*: unpack its archive"
    ):
        find_bundle("nothing")


def test_an_installed_package_names_no_folder_beside_itself(tmp_path, monkeypatch):
    monkeypatch.delenv(BUNDLE_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(
        "monai_advdefense.bundle_tools.find_bundle.__file__",
        str(tmp_path / "monai_advdefense" / "bundle_tools" / "x.py"),
    )
    (alone,) = bundle_dirs()
    assert alone.parts[-2:] == ("monai_advdefense", "bundles")
    (tmp_path / "bundles").mkdir()
    assert next(bundle_dirs()) == tmp_path / "bundles"
