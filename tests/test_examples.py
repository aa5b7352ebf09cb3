from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import torch

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_guard_any_network(capsys):
    """The example's own words: it says which slices it rejects."""
    with torch.random.fork_rng():
        runpy.run_path(str(EXAMPLES / "guard_any_network.py"), run_name="__main__")
    clean, tampered = re.findall(r"^\w+: rejected slices (\[.*\]) of 20$", capsys.readouterr().out, re.MULTILINE)
    assert set(ast.literal_eval(tampered)) >= {8, 9, 10, 11}
    assert len(ast.literal_eval(clean)) <= 4
