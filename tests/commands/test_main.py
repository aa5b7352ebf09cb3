from __future__ import annotations

import json
import subprocess
import sys

import pytest

from monai_advdefense.bundle_tools.find_bundle import find_bundle
from monai_advdefense.commands.main import main

VERBS = ("screen", "guard", "attack", "calibrate", "merge", "check", "info")


def _output(capsys, *words):
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_names_every_verb_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom monai_advdefense.commands.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'monai', 'pydicom', 'highdicom'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(VERBS) <= set(done.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(verb, capsys):
    code, out, _ = _output(capsys, verb, "--help")
    assert code == 0
    assert out.startswith(f"usage: advdefense {verb}")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["screen", "a", "--outputdir", "b"], "error: --outputdir: .*did you mean --output-dir?"),
        (["screen", "a", "--outputdir=b"], "error: --outputdir: .*did you mean --output-dir?"),
        (["screen", "a"], "error: the following arguments are required: -o/--output-dir"),
        (["screen", "a", "-o", "b", "--zzz"], "error: --zzz: .*see advdefense screen --help"),
        (["scren"], "error: argument VERB: invalid choice: 'scren'"),
        ([], "error: the following arguments are required: VERB"),
        (["guard", "a", "b", "-o", "c", "--label", "x"], "error: argument --label: invalid int value"),
        (["screen", "a", "-o", "b", "--spectral", "--screen", "c"], "error: options: .*found --spectral, --screen"),
        (["calibrate", "nowhere", "-o", "b"], "error: .*nowhere: expected a file or a folder of inputs"),
        (["check", "nowhere"], "error: .*nowhere: expected a file or a folder of inputs"),
        (["screen", "a", "-o", "b", "--bundle", "none"], "error: none: expected a bundle"),
    ],
)
def test_misuse_is_one_line_with_a_remedy(words, found, capsys):
    import re

    code, _, err = _output(capsys, *words)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert re.match(found, err), err


def test_info_shows_what_decides_by_default(capsys):
    screen = find_bundle("brain_mri_defended_segmentation") / "models" / "screen" / "model.calibration.json"
    record = json.loads(screen.read_text(encoding="utf-8"))
    _, out, _ = _output(capsys, "info")
    line = next(line for line in out.splitlines() if line.startswith("  screen"))
    assert f"threshold {record['threshold']:.4g}, for {record['false_positive_rate']:g} of clean ones" in line
    assert f"limit {record['volume_limit']:.4g}, for {record['volume_rate']:g} called other than clean" in line
    assert line.endswith(f"{record['volumes']} volumes of {record['subjects']} subjects")


def test_info_as_json(capsys):
    code, out, _ = _output(capsys, "info", "--json")
    assert code == 0
    names = {bundle["name"] for bundle in json.loads(out)}
    assert {"brain_mri_defended_segmentation", "brain_mri_segmentation"} <= names
