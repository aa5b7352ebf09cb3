"""A misspelt override ends the run of a bundle before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run_python import run_python


@pytest.mark.parametrize("config", ["inference", "train"])
def test_a_misspelt_override_is_refused_with_the_nearest_name(config, bundles, tmp_path):
    bundle = bundles / "brain_mri_reformer"
    command = ["-m", "monai.bundle", "run", "--bundle_root", str(bundle)]
    command += ["--config_file", str(bundle / "configs" / f"{config}.json"), "--datasetdir", str(tmp_path)]
    done = run_python(command)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: --datasetdir: expected an entry of the configuration")
    assert last.endswith("did you mean --dataset_dir?")
    assert not list(Path.cwd().iterdir())
