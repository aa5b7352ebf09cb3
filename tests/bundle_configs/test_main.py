from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bundle_configs.__main__ import main, texts

ROOT = Path(__file__).parents[2]


def test_the_configurations_of_the_bundles_are_what_the_program_writes():
    committed = {path.relative_to(ROOT / "bundles").as_posix() for path in ROOT.glob("bundles/*/configs/*.json")}
    assert set(texts()) == committed
    for name, text in texts().items():
        found = (ROOT / "bundles" / name).read_text(encoding="utf-8")
        assert found == text, f"{name}: change bundle_configs/, then run python -m bundle_configs"


def test_the_program_writes_them(tmp_path):
    for name in texts():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    main(["--bundles", str(tmp_path)])
    written = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.json")}
    assert written == texts()


def _pages():
    """Files that name entries of configurations."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    kinds = (".json", ".md", ".py", ".sh", "Makefile")
    return [name for name in listed if name.endswith(kinds) and (ROOT / name).is_file()]


# An id with a number in it (`handlers#3#x`, `transforms#2`), or a part of a list in an expression (`@handlers[:3]`).
POSITION = re.compile(r"[A-Za-z_]\w*(#|::)\d|@[\w#:]*[A-Za-z_]\w*\[-?\d|@[\w#]*(handlers|transforms)\[")


@pytest.mark.parametrize("text", ["train#handlers#6#objects", "volume_transforms#2", "@train#handlers[:3]", "x::0"])
def test_positions_are_seen(text):
    assert POSITION.search(text)


def test_no_entry_is_addressed_by_its_position_in_a_list():
    # What these files say of positions is that they are seen.
    seen = {Path(__file__).relative_to(ROOT).as_posix(), "tests/bundle_tools/test_overrides.py"}
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in _pages()
        if name not in seen
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if POSITION.search(line)
    ]
    assert found == []
