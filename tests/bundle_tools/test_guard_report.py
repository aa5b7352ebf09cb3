import csv
import hashlib
import json
import re
from typing import ClassVar

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose, SaveImaged
from torch import nn

from monai_advdefense.bundle_tools import GuardReport, ScreenGuard
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import InputError


@pytest.fixture
def guarded(tmp_path):
    """A guard without a screen and its report on a folder of two inputs."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.nii.gz").write_bytes(b"")
    guard = ScreenGuard()
    return guard, GuardReport(guard, tmp_path / "in", tmp_path / "out")


def _data(guard, path, space="RAS"):
    image = torch.from_numpy(brain_phantom((20, 12, 20), seed=0)[0]).float()[None] / 2000
    about = {"filename_or_obj": str(path), "space": space}
    sign = 1.0 if space == "RAS" else -1.0
    affine = torch.diag(torch.tensor([sign, sign, 1.0, 1.0]))
    data = guard.preprocessing([])({"image": MetaTensor(image, affine=affine, meta=about)})
    data["pred"] = MetaTensor((image > 0.3).to(torch.uint8), affine=affine, meta=about)
    return data


def _save(folder):
    return SaveImaged("pred", output_dir=folder, output_postfix="seg", separate_folder=False, print_log=False)


def test_a_screen_that_is_missing_is_told_before_any_volume(tmp_path):
    guard = ScreenGuard(screen_path=tmp_path / "screen.pt")
    with pytest.raises(InputError, match=r"^\S+/screen\.pt: expected a screen for this network, found no such file"):
        GuardReport(guard, tmp_path, tmp_path / "out")


def test_each_volume_has_a_table_a_record_and_a_page_and_all_have_one_report(guarded, tmp_path, capsys):
    guard, report = guarded
    judge = guard.postprocessing(Compose([_save(tmp_path / "out")]), network=nn.Identity(), inferer=SimpleInferer())
    after = report.postprocessing(judge)
    for name in ("a", "b"):
        after(_data(guard, tmp_path / "in" / f"{name}.nii.gz"))
    report.finish()
    record = json.loads((tmp_path / "out" / "a_scores.json").read_text(encoding="utf-8"))
    assert record["verdict"] == "not_checked"
    assert record["segmentation"] == str(tmp_path / "out" / "a_seg.nii.gz")
    with (tmp_path / "out" / "a_scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["input_index"]) for row in rows] == list(range(12))
    assert {row["decision"] for row in rows} <= {"not_checked", "blank"}
    assert "advdefense calibrate" in (tmp_path / "out" / "b_report.html").read_text(encoding="utf-8")
    with (tmp_path / "out" / "report.csv").open(newline="", encoding="utf-8") as file:
        assert [row["input"] for row in csv.DictReader(file)] == ["a.nii.gz", "b.nii.gz"]
    assert "a.nii.gz: not_checked" in capsys.readouterr().out


def test_pages_have_left_and_right_where_they_are_in_either_world(guarded, tmp_path):
    """ITK's readers and MONAI Deploy may give images whose world is LPS."""
    guard, report = guarded
    judge = guard.postprocessing(Compose([]), network=nn.Identity(), inferer=SimpleInferer())
    pages = []
    for name, space in (("a", "RAS"), ("b", "LPS")):
        data = _data(guard, tmp_path / "in" / f"{name}.nii.gz", space)
        report.postprocessing(judge)(data)
        page = (tmp_path / "out" / f"{name}_report.html").read_text(encoding="utf-8")
        # The letters are drawn.
        pages.append(re.findall(r'src="(data:image[^"]+)"', page))
    assert len(pages[0]) >= 4
    assert pages[0] == pages[1]


def test_pages_name_the_weights_that_are_told_and_no_others(guarded, tmp_path):
    guard, _ = guarded
    bundle = tmp_path / "bundle"
    (bundle / "models").mkdir(parents=True)
    for name in ("model.pt", "other.pt"):
        (bundle / "models" / name).write_text(name)
    judge = guard.postprocessing(Compose([]), network=nn.Identity(), inferer=SimpleInferer())
    for weights in (None, bundle / "models" / "other.pt", bundle / "models" / "missing.pt"):
        report = GuardReport(guard, tmp_path / "in", tmp_path / "out", bundle=bundle, weights=weights)
        report.postprocessing(judge)(_data(guard, tmp_path / "in" / "a.nii.gz"))
        record = (tmp_path / "out" / "a_scores.json").read_text(encoding="utf-8")
        told = {name for name in ("model.pt", "other.pt") if hashlib.sha256(name.encode()).hexdigest() in record}
        assert told == ({weights.name} & {"other.pt"} if weights else set())


def test_a_report_that_cannot_be_written_costs_itself_and_is_told_at_the_end(guarded, tmp_path):
    guard, report = guarded
    judge = guard.postprocessing(Compose([]), network=nn.Identity(), inferer=SimpleInferer())
    after = report.postprocessing(judge)
    (tmp_path / "out" / "a_scores.csv").mkdir(parents=True)
    for name in ("a", "b"):
        after(_data(guard, tmp_path / "in" / f"{name}.nii.gz"))
    assert (tmp_path / "out" / "b_scores.csv").is_file()
    with pytest.raises(InputError, match=r"1 of 2 volumes failed"):
        report.finish()


def test_a_bundle_that_ends_at_a_volume_that_failed_has_its_report_nevertheless(guarded, tmp_path):
    guard, report = guarded
    after = report.postprocessing(guard.postprocessing(Compose([]), network=nn.Identity(), inferer=SimpleInferer()))

    class Evaluator(Engine):
        volumes: ClassVar = []

        def run(self):
            for name in self.volumes:
                after(_data(guard, tmp_path / "in" / f"{name}.nii.gz"))
            raise InputError("b.nii.gz: expected ...")

    with pytest.raises(InputError, match=r"b\.nii"):
        report.run(Evaluator(print))
    assert not (tmp_path / "out" / "report.csv").exists()
    Evaluator.volumes.append("a")
    with pytest.raises(InputError, match=r"b\.nii"):
        report.run(Evaluator(print))
    assert "a.nii.gz,not_checked" in (tmp_path / "out" / "report.csv").read_text(encoding="utf-8")
