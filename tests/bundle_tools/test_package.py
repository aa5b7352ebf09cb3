import hashlib
import json
import shutil

import pytest
from monai.bundle import download

from monai_advdefense.bundle_tools.package import main, package
from monai_advdefense.errors import InputError


@pytest.fixture
def bundle(tmp_path):
    root = tmp_path / "source" / "guard"
    for folder in ("configs", "docs", "models/segnet", "runs/train", "eval"):
        (root / folder).mkdir(parents=True)
    (root / "LICENSE").write_text("terms")
    (root / "configs" / "metadata.json").write_text(json.dumps({"version": "0.3.1"}))
    for name in ("models/model.pt", "models/segnet/model.pt", "models/model.ts", "runs/train/events", "eval/a.csv"):
        (root / name).write_bytes(name.encode())
    return root


def _files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_monai_downloads_what_belongs_to_the_bundle(bundle, tmp_path):
    path = package(bundle, tmp_path / "dist")
    assert path == tmp_path / "dist" / "guard_v0.3.1.zip"
    download(name="guard", version="0.3.1", url=path.as_uri(), bundle_dir=str(tmp_path / "target"), source="github")
    left_out = ("runs", "eval", "models/model.ts")
    expected = {name: content for name, content in _files(bundle).items() if not name.startswith(left_out)}
    assert len(expected) == 4
    for folder in ("models", "models/segnet"):
        digest = hashlib.sha256(expected[f"{folder}/model.pt"]).hexdigest()
        expected[f"{folder}/SHA256SUMS"] = f"{digest}  model.pt\n".encode()
    assert _files(tmp_path / "target" / "guard") == expected


def test_the_checksum_is_that_of_the_file_and_the_same_for_the_same_content(bundle, tmp_path):
    first = package(bundle, tmp_path / "first")
    copy = shutil.copytree(bundle, tmp_path / "copy" / "guard", copy_function=shutil.copyfile)
    second = package(copy, tmp_path / "second")
    digest, name = first.with_name(f"{first.name}.sha256").read_text().split()
    assert name == first.name
    assert digest == hashlib.sha256(second.read_bytes()).hexdigest()
    (copy / "LICENSE").write_text("other terms")
    assert package(copy, tmp_path / "second").read_bytes() != first.read_bytes()


@pytest.mark.parametrize("missing", ["configs/metadata.json", "models/model.pt", "LICENSE"])
def test_an_incomplete_bundle_is_refused(bundle, tmp_path, missing):
    (bundle / missing).unlink()
    with pytest.raises(InputError, match=missing.replace("/", ".")):
        package(bundle, tmp_path / "dist")
    with pytest.raises(SystemExit) as stopped:
        main([str(bundle), "--output_dir", str(tmp_path / "dist")])
    assert stopped.value.code == 2
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("folder", ["", "dist", "docs/dist"])
def test_a_bundle_is_not_packed_into_itself(bundle, folder, monkeypatch):
    monkeypatch.chdir(bundle)
    before = _files(bundle)
    with pytest.raises(InputError, match="expected a folder outside the bundle"):
        package(".", folder)
    assert _files(bundle) == before
