from __future__ import annotations

import csv
import json

import pytest
import torch

from monai_advdefense.commands.main import main
from monai_advdefense.errors import InputError
from monai_advdefense.report import case_from_scores, case_to_json
from monai_advdefense.runs.group_report import GroupReport
from monai_advdefense.runs.manifest import Manifest
from monai_advdefense.runs.merge_shards import merge_shards
from monai_advdefense.runs.outputs import Outputs
from monai_advdefense.runs.run_log import RunLog
from monai_advdefense.runs.stop_rule import StopRule

VOLUMES = [f"{name}.nii" for name in "abcde"]
BROKEN = "d.nii"


@pytest.fixture
def out(tmp_path):
    """Results of all volumes but one."""
    outputs = Outputs(tmp_path / "in", tmp_path / "out")
    outputs.prepare()
    for number, name in enumerate(VOLUMES):
        source = str(tmp_path / "in" / name)
        scores = torch.tensor([0.1 * number, 0.25])
        case = case_from_scores(
            scores,
            scores <= 0.3,
            scores < 0,
            threshold=0.3,
            positions=[(0.0, 0), (1.0, 1)],
            input_path=source,
            segmentation_path=str(outputs.path(source, "seg", ".nii.gz")),
        )
        if name != BROKEN:
            outputs.path(source, "scores", ".json").write_text(case_to_json(case))
    return tmp_path / "out"


def _log(out, names):
    log = RunLog()
    for name in names:
        source = str(out.parent / "in" / name)
        log.attempt(source)
        if name == BROKEN:
            log.fail(source, f"{source}: expected a volume, found none: copy it again")
    return log


def _end(out, shard, weights=(), stop_rule=None):
    manifest = Manifest(Outputs(out.parent / "in", out), shard=shard, weights=weights)
    manifest.read()
    log = _log(out, manifest.shard.share(VOLUMES))
    manifest.mark_ended(log.attempted, log.failures, stop_rule=stop_rule)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_report_is_that_of_one_run(out, count):
    for index in range(count, 0, -1):
        _end(out, f"{index}/{count}")
    log, alarm = merge_shards(out)
    assert alarm is None
    merged = (out / "report.csv").read_bytes()
    alone = _log(out, VOLUMES)
    GroupReport(Outputs(out.parent / "in", out), alone).write()
    assert merged == (out / "report.csv").read_bytes()
    assert (log.attempted, log.failures) == (alone.attempted, alone.failures)
    with (out / "report.csv").open(newline="", encoding="utf-8") as file:
        assert [row["input"] for row in csv.DictReader(file)][0] == BROKEN


def test_what_no_shard_could_tell_of_is_a_failure_too(out):
    for shard in ("1/2", "2/2"):
        _end(out, shard)
    lost = str(out.parent / "in" / "z.nii")
    log, _ = merge_shards(out, failures=[(lost, f"{lost}: expected workers that end it, found none: try again")])
    assert log.attempted[-1] == lost
    assert len(log.attempted) == len(VOLUMES) + 1
    with (out / "report.csv").open(newline="", encoding="utf-8") as file:
        assert {"d.nii", "z.nii"} == {row["input"] for row in list(csv.DictReader(file))[:2]}


def test_a_shard_that_has_not_ended_is_named(out):
    _end(out, "1/3")
    with pytest.raises(InputError, match=r"expected 3 shards .* found not 2/3, 3/3: run it with --shard 2/3, then"):
        merge_shards(out)
    assert not (out / "report.csv").exists()


def test_shards_of_an_earlier_run_do_not_count(out, tmp_path):
    _end(out, "1/2")
    (tmp_path / "model.pt").write_text("other weights")
    _end(out, "2/2", weights=[tmp_path / "model.pt"])
    with pytest.raises(InputError, match="found not 1/2"):
        merge_shards(out)
    _end(out, "1/2", weights=[tmp_path / "model.pt"])
    assert len(merge_shards(out)[0].attempted) == len(VOLUMES)


def test_a_folder_without_shards_is_refused(out):
    with pytest.raises(InputError, match="expected a manifest of a run that has ended, found none"):
        merge_shards(out)


def test_a_run_that_is_alone_has_nothing_to_merge(out):
    _end(out, "1/1")
    with pytest.raises(InputError, match=r"found a run without shards: there is nothing to merge, see .*/report\.html"):
        merge_shards(out)


def test_the_shards_together_are_compared_with_the_calibrated_rate(out, tmp_path, capsys):
    record = {"volume_rate": 0.05, "subjects": 20}
    (tmp_path / "model.calibration.json").write_text(json.dumps(record))
    rule = StopRule(tmp_path / "model.pt", level=0.9)  # one of the four is to be reviewed
    for shard in ("1/2", "2/2"):
        _end(out, shard, stop_rule=rule.arguments())
    _, alarm = merge_shards(out)
    assert "found 1 of 4" in str(alarm)
    assert main(["merge", str(out)]) == 2  # d.nii failed
    assert f"warning: {alarm}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--fail-on-alarm"], 3)])
def test_merge_ends_with_code_3_only_if_asked(out, tmp_path, options, code, capsys):
    record = {"volume_rate": 0.05, "subjects": 20}
    (tmp_path / "model.calibration.json").write_text(json.dumps(record))
    for shard, names in (("1/2", ["a.nii", "c.nii"]), ("2/2", ["e.nii"])):
        manifest = Manifest(Outputs(tmp_path / "in", out), shard=shard)
        manifest.read()
        sources = [str(tmp_path / "in" / name) for name in names]
        manifest.mark_ended(sources, [], stop_rule=StopRule(tmp_path / "model.pt", level=0.9).arguments())
    assert main(["merge", str(out), *options]) == code
    assert "3 of 3 volumes written, 0 failed" in capsys.readouterr().out
