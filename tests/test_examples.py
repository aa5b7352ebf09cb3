from __future__ import annotations

import ast
import csv
import os
import re
import runpy
import shlex
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from tests.run_python import run_python

EXAMPLES = Path(__file__).parents[1] / "examples"
# Asks for a command of Python and ends as it ended.
ASK = """#!/bin/sh
printf '%s\\0' "$@" > {request}
read -r code < {answer}
exit "$code"
"""


@pytest.fixture
def printed(capsys):
    """What an example prints."""

    def run(name):
        with torch.random.fork_rng():
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_guard_any_network(printed):
    output = printed("guard_any_network.py")
    clean, tampered = re.findall(r"^\w+: rejected slices (\[.*\]) of 20$", output, re.MULTILINE)
    assert set(ast.literal_eval(tampered)) >= {8, 9, 10, 11}
    assert len(ast.literal_eval(clean)) <= 4


def test_attack_network(printed):
    first, _, *rows = printed("attack_network.py").splitlines()
    clean = float(first.removeprefix("clean: Dice "))
    assert clean > 0.7
    norms, dag, pgd, noise = np.array([[float(value) for value in row.split()] for row in rows]).T
    assert (np.diff(norms) > 0).all()
    # At the same norm an attack does more than noise, and the strongest one more than the weakest.
    assert (pgd < noise).all()
    assert (dag <= noise).all()
    assert dag[-1] < dag[0] - 0.1
    assert noise[-1] > clean - 0.1


def test_screen_dataset():
    """In a process of its own, for its workers."""
    done = run_python([str(EXAMPLES / "screen_dataset.py")])
    assert done.returncode == 0, done.stderr
    found = [
        ast.literal_eval(text) for text in re.findall(r"suspicious slices (\[.*\]) of 24$", done.stdout, re.MULTILINE)
    ]
    assert len(found) == 6
    assert set(found[-1]) >= set(range(10, 16))
    assert sum(len(slices) for slices in found[:4]) <= 0.05 * 4 * 24


def test_other_data(tmp_path):
    """Training, calibration, attack and defence from the files of the example alone."""
    _run_script(EXAMPLES / "other_data" / "run.sh", tmp_path, tmp_path / "bin", EPOCHS="2")
    original = nib.load(tmp_path / "data" / "images" / "1003.nii.gz")
    assert original.get_fdata().min() == -1000
    segmentation = nib.load(tmp_path / "clean" / "1003_seg.nii.gz")
    assert segmentation.shape == original.shape
    assert np.array_equal(segmentation.affine, original.affine)
    with (tmp_path / "attack" / "1003_attack.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    attacked = [row for row in rows if row["attacked"] == "True"]
    assert len(attacked) == 8
    assert all(float(row["norm"]) > 1 and row["score"] != row["score_clean"] for row in attacked)
    # Slices that the report rejects hold the label behind the last class.
    labels = np.asarray(nib.load(tmp_path / "attacked" / "1003_attacked_seg.nii.gz").dataobj)
    with (tmp_path / "attacked" / "1003_attacked_scores.csv").open(newline="") as file:
        rejected = {int(row["input_index"]) for row in csv.DictReader(file) if row["decision"] == "rejected"}
    assert {int(index) for index in (labels == 4).any((0, 1)).nonzero()[0]} == rejected
    assert rejected
    assert "brain" not in (tmp_path / "clean" / "1003_report.html").read_text(encoding="utf-8")


def _run_script(script, work, folder, **environment):
    """Run a shell script that succeeds; each ``python`` in it is a copy of this process."""
    folder.mkdir()
    request, answer = folder / "request", folder / "answer"
    for pipe in (request, answer):
        os.mkfifo(pipe)
    python = folder / "python"
    python.write_text(ASK.format(request=shlex.quote(str(request)), answer=shlex.quote(str(answer))))
    python.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    # At its end the script asks for nothing.
    command = ["sh", "-c", 'sh "$1" "$2"; code=$?; : > "$3"; exit $code', "sh", script, work, request]
    with subprocess.Popen(command, env={**os.environ, **environment, "PATH": path}) as process:
        while words := request.read_text():
            done = run_python(words.split("\0")[:-1])
            assert done.returncode == 0, done.stderr
            answer.write_text("0\n")
    assert process.returncode == 0
