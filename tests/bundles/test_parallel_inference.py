"""Processes that share the volumes give what one process gives."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch

from tests.run_python import run_by_two

NAME = "brain_mri_defended_segmentation"
SMALL = {
    "slice_size": [48, 48],
    "write_report#suspicious": 0,
}


@pytest.fixture
def one_thread():
    """As many threads as torchrun gives each process, so that results are equal to the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _two_processes(bundle, inputs, out):
    configs = [str(bundle / "configs" / f"{name}.json") for name in ("inference", "combined", "multi_gpu_inference")]
    command = ["-m", "monai.bundle", "run", "--config_file", str(configs), "--bundle_root", str(bundle)]
    command += ["--dataset_dir", str(inputs), "--output_dir", str(out), "--device", "cpu"]
    for key, value in SMALL.items():
        command += [f"--{key}", str(value)]
    return run_by_two(command)


def _results(folder):
    """Every file but the pages, which tell the time; of the records what does not depend on time and folder."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix == ".json":
            content = json.loads(path.read_text(encoding="utf-8"))
            found[path.relative_to(folder)] = {**content, "created": "", "segmentation": ""}
        elif path.is_file() and path.suffix != ".jsonl":
            found[path.relative_to(folder)] = path.read_bytes() if path.suffix != ".html" else b""
    return found


def test_two_processes_write_what_one_writes_and_one_of_them_reports(
    copy_bundle, write_weights, workflow, phantoms, tmp_path, one_thread, capfd
):
    bundle = copy_bundle(NAME)
    write_weights(bundle, threshold=1000.0)
    inputs = tmp_path / "inputs"
    shutil.copytree(phantoms / "images", inputs / "site")
    shutil.move(inputs / "site" / "1000.nii.gz", inputs / "a.nii.gz")
    (inputs / "site" / "1003.nii.gz").unlink()
    # The second of four: it is the other process that must tell the first.
    (inputs / "b.nii.gz").write_bytes((inputs / "a.nii.gz").read_bytes()[:2000])

    with pytest.raises(SystemExit) as stop:
        workflow(
            *(bundle, "inference", "combined"),
            kind="infer",
            dataset_dir=str(inputs),
            output_dir=str(tmp_path / "alone"),
            **SMALL,
        ).run()
    assert stop.value.code == 2
    last = capfd.readouterr().err.splitlines()[-1]

    done = _two_processes(bundle, inputs, tmp_path / "shared")
    stdout, stderr = "".join(each.stdout for each in done), "".join(each.stderr for each in done)
    assert [each.returncode for each in done] == [2, 0], stderr
    assert stdout.count("volumes written") == 1
    assert "3 of 4 volumes written, 1 failed" in stdout
    assert [line for line in stderr.splitlines() if line.startswith("error: ")] == [last]
    assert stderr.count("failed: ") == 1

    alone, shared = _results(tmp_path / "alone"), _results(tmp_path / "shared")
    assert len(alone) == 3 * 4 + 2
    assert shared == alone
    assert {path.name for path in (tmp_path / "shared").glob("*.jsonl")} == {"manifest.jsonl", "manifest_rank1.jsonl"}
    with (tmp_path / "shared" / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["failed"] + 3 * ["clean"]
    assert rows[0]["input"] == "b.nii.gz"
