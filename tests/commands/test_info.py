from __future__ import annotations

import json

from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.commands.main import main


def test_info_shows_what_decides_by_default(capsys):
    screen = find_bundle("brain_mri_defended_segmentation") / "models" / "screen" / "model.calibration.json"
    record = json.loads(screen.read_text(encoding="utf-8"))
    main(["info"])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  screen"))
    assert f"threshold {record['threshold']:.4g}, for {record['false_positive_rate']:g} of clean ones" in line
    assert f"limit {record['volume_limit']:.4g}, for {record['volume_rate']:g} called other than clean" in line
    assert line.endswith(f"{record['volumes']} volumes of {record['subjects']} subjects")


def test_info_as_json(capsys):
    assert main(["info", "--json"]) == 0
    names = {bundle["name"] for bundle in json.loads(capsys.readouterr().out)}
    assert {"brain_mri_defended_segmentation", "brain_mri_segmentation"} <= names
