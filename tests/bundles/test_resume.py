"""An inference goes on where an earlier one stopped."""

from __future__ import annotations

import shutil

import pytest

from monai_advdefense.commands.main import main


@pytest.fixture
def run(request, copy_bundle, write_weights, workflow, phantoms, tmp_path):
    """Runs a bundle on two volumes; gives the names of those that were made."""
    bundle = copy_bundle(request.param)
    defended = request.param == "brain_mri_defended_segmentation"
    small = {"write_report#suspicious": 0} if defended else {}
    configs = ["inference", "combined"] if defended else ["inference"]
    inputs, out = tmp_path / "inputs", tmp_path / "out"
    inputs.mkdir()
    for name in ("1000", "1001"):
        shutil.copy(phantoms / "images" / f"{name}.nii.gz", inputs)
    write_weights(bundle, threshold=1000.0)

    def go(**overrides):
        arguments = {"dataset_dir": str(inputs), "output_dir": str(out), **small, **overrides}
        created = workflow(bundle, *configs, kind="infer", **arguments)
        created.run()
        log = created.parser.get_parsed_content("run_log")
        return [path[-11:-7] for path in log.attempted if path not in log.already_there]

    go.bundle, go.out = bundle, out
    return go


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report.html"}


@pytest.mark.parametrize("run", ["brain_mri_defended_segmentation"], indirect=True)
def test_a_second_run_makes_what_is_missing_and_reports_on_all(run, capfd):
    assert run() == ["1000", "1001"]
    before = _files(run.out)
    assert len(before) == 2 * 4 + 2
    assert run(device="$torch.device('cpu', 0)") == []
    after = _files(run.out)
    # A line says that this run has ended, too.
    assert after.pop("manifest.jsonl").startswith(before["manifest.jsonl"])
    assert after == {name: content for name, content in before.items() if name != "manifest.jsonl"}
    (run.out / "1001_seg.nii.gz").unlink()
    assert run() == ["1001"]
    assert {
        name: content for name, content in _files(run.out).items() if name[:4] != "1001" and "json" not in name
    } == {name: content for name, content in before.items() if name[:4] != "1001" and "json" not in name}
    assert _files(run.out)["1001_seg.nii.gz"] == before["1001_seg.nii.gz"]
    assert "2 of 2 volumes written (1 of them by an earlier run), 0 failed" in capfd.readouterr().out
    assert len((run.out / "report.csv").read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize("run", ["brain_mri_defended_segmentation"], indirect=True)
def test_shards_merge_into_what_one_run_reports(run, tmp_path, capsys):
    shared = tmp_path / "shared"
    assert run() == ["1000", "1001"]
    assert run(output_dir=str(shared), shard="1/2") == ["1000"]
    assert main(["merge", str(shared)]) == 2
    assert "expected 2 shards that have ended, found not 2/2" in capsys.readouterr().err
    assert run(output_dir=str(shared), shard="2/2") == ["1001"]
    assert not (shared / "report.csv").exists()
    assert main(["merge", str(shared)]) == 0
    assert "2 of 2 volumes written, 0 failed" in capsys.readouterr().out
    assert (shared / "report.csv").read_bytes() == (run.out / "report.csv").read_bytes()


@pytest.mark.parametrize("run", ["brain_mri_segmentation"], indirect=True)
def test_other_weights_or_settings_make_all_anew(run, write_weights):
    assert run() == ["1000", "1001"]
    assert run(resume=False) == ["1000", "1001"]
    assert run(pixdim=[1.0, 1.0, 2.0]) == ["1000", "1001"]
    write_weights(run.bundle, seed=1, threshold=1000.0)
    assert run(pixdim=[1.0, 1.0, 2.0]) == ["1000", "1001"]
    assert run(pixdim=[1.0, 1.0, 2.0]) == []
