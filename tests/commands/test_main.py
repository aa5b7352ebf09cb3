from __future__ import annotations

import subprocess
import sys

import pytest

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


def test_the_package_runs_as_a_module_does():
    command = [sys.executable, "-m", "monai_advdefense", "screen", "a"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the following arguments are required: -o/--output-dir: see advdefense screen")


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
        (["screen", "a", "-o", ""], "error: advdefense screen: expected words, found an empty one: is a variable of"),
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


def test_a_list_of_inputs_may_have_empty_lines_and_a_mark_of_its_encoding(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.nii").touch()
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa b.nii\r\n\r\n\n")
    assert main(["check", "@list.txt"]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 1 inputs can be used"
