from __future__ import annotations

import pytest
import torch

from experiments.screen.__main__ import main
from experiments.screen.measured import Measured
from experiments.tables import read_table
from monai_advdefense.weights import save_weights
from tests.guard.phantom_screen import CLASSES, fitted_screen

MEASURED = ("blur", "every tenth slice 0.6 as bright", "voxels of 2 mm")


@pytest.fixture
def command(phantoms, bundles, write_weights, tmp_path):
    """The command's arguments, after some conditions were measured."""
    write_weights()
    weights = bundles / "brain_mri_defended_segmentation" / "models" / "screen" / "model.pt"
    save_weights(fitted_screen(), weights)
    measured = Measured(phantoms, "test", bundles, tmp_path / "work", weights)
    assert measured.num_classes == CLASSES
    for case in measured.cases:
        measured.clean(case)
        measured.attacked(case, "optimised bias field")
        for name in MEASURED:
            measured.spoilt(case, name)
    places = {
        "dataset_dir": phantoms,
        "work_dir": tmp_path / "work",
        "bundles": bundles,
        "output": tmp_path / "page.md",
    }
    return [word for name, place in places.items() for word in (f"--{name}", str(place))]


def test_what_was_measured_is_told_and_the_rest_is_named(command, tmp_path, capsys):
    main([*command, "--kept_only"])
    assert f"wrote {tmp_path / 'page.md'}" in capsys.readouterr().out
    table = read_table(tmp_path / "results" / "screen.csv")
    assert list(table["condition"]) == ["none", *MEASURED, "optimised bias field"]
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "- upside down (pose)." in page
    assert "- Verdicts on the clean volumes of all splits, subjects left out in turn." in page
    assert "- blur (severe accident)." not in page
    assert "holds no predictor of Dice" in page


def test_another_segmenter_is_compared_with_the_shipped_one(command, phantoms, bundles, write_weights, tmp_path):
    main([*command, "--kept_only"])
    folder, models = tmp_path / "results", bundles / "brain_mri_defended_segmentation" / "models"
    shipped = (folder / "screen.csv").read_bytes()
    write_weights(seed=1)
    (models / "adversarial" / "screen").mkdir(parents=True)
    for name in ("model.pt", "screen/model.pt"):
        (models / name).rename(models / "adversarial" / name)
    screen = models / "adversarial" / "screen" / "model.pt"
    measured = Measured(phantoms, "test", bundles, tmp_path / "work", screen, ("adversarial",))
    for case in measured.cases:
        measured.attacked(case, "optimised bias field")
    main([*command, "--kept_only", "--overlays", "adversarial"])
    assert (folder / "screen.csv").read_bytes() == shipped
    assert list(read_table(folder / "screen_adversarial.csv")["condition"]) == ["none", "optimised bias field"]
    (row,) = [
        line
        for line in (tmp_path / "page.md").read_text().splitlines()
        if line.startswith("| optimised bias field | 0.") or line.startswith("| optimised bias field | 1.")
    ]
    assert row.count("|") == 8


def test_a_screen_that_is_not_calibrated_is_refused(command, tmp_path, capsys):
    path = tmp_path / "screen.pt"
    torch.save({**fitted_screen().state_dict(), "threshold": torch.tensor(float("nan"))}, path)
    with pytest.raises(SystemExit):
        main([*command, "--kept_only", "--screen", str(path)])
    assert "calibrat" in capsys.readouterr().err
