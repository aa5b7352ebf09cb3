"""Weights run no code, and only whole, finite weights of the network are loaded, with the checksum that is stated."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.weights import load_weights, save_weights
from tests.handlers.test_strict_checkpoint_loader import HOSTILE, _Guard

ROOT = Path(__file__).parents[2]
CALLS = r"(pickle|cPickle|dill|joblib|marshal|shelve)\.|(^|\.)(eval|exec|system|popen)$|__import__"


@pytest.mark.filterwarnings("ignore")
def test_no_code_runs_and_nothing_is_loaded(tmp_path, figure):
    for number, (make, _) in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder / "model.pt")
        network = _Guard(0.5)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        with pytest.raises(InputError, match=r"model\.pt: expected "):
            load_weights(folder / "model.pt", network)
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert list(tmp_path.rglob("canary")) == []
    figure(f"{len(HOSTILE)} of {len(HOSTILE)} hostile files refused, 0 code executions")


def test_one_changed_bit_is_noticed(tmp_path, figure):
    path, network = tmp_path / "model.pt", _Guard(0.5)
    (tmp_path / "SHA256SUMS").touch()
    save_weights(network, path)
    load_weights(path, network)
    content = path.read_bytes()
    count = 50
    for number in range(count):
        place = number * len(content) // count
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InputError, match="expected the checksum that SHA256SUMS states"):
            load_weights(path, network)
    path.write_bytes(content)
    load_weights(path, network)
    figure(f"{count} of {count} changed bits noticed by the checksum")


def test_the_package_calls_nothing_that_could_run_a_file():
    found = []
    for path in sorted((ROOT / "monai_advdefense").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                unsafe = name == "torch.load" and options.get("weights_only") != "True"
                method = name.endswith(".eval") or name.startswith("re.")
                if unsafe or options.get("shell") == "True" or (re.search(CALLS, name) and not method):
                    found.append(f"{path.name}:{node.lineno}: {name}")
    assert found == []
