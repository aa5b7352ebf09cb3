"""What is installed and shipped is known: floors above advisories, checksums, licences, the same wheel twice."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from monai_advdefense.bundle_tools.package import package
from monai_advdefense.checksums import check_sum
from monai_advdefense.errors import InputError

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "bundles"
# Versions from which on an advisory that concerns what we call is mended.
ADVISORIES = {
    "torch": ("2.10", "CVE-2025-32434, CVE-2026-24747: loading weights"),
    "monai": ("1.6.1", "GHSA-x6ww-pf9m-m73m, GHSA-6vm5-6jv9-rjpj, GHSA-wvpx-5qmp-46g3: bundles"),
    "pillow": ("10", "CVE-2023-50447"),
    "jinja2": ("3.1", "CVE-2020-28493"),
}


def _requirements():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    text = parser["options"]["install_requires"]
    for name, extra in parser["options.extras_require"].items():
        # Installed where there is a cluster: tests skip what asks for it.
        text += extra if name != "cluster" else ""
    return [Requirement(line) for line in text.split("\n") if line.strip()]


def _pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def test_the_lowest_versions_have_no_known_weakness_that_concerns_us(figure):
    lowest = {r.name.lower(): next(s.version for s in r.specifier if s.operator == ">=") for r in _requirements()}
    for name, (mended, why) in ADVISORIES.items():
        assert Version(lowest[name]) >= Version(mended), why
    figure(f"{len(ADVISORIES)} of {len(ADVISORIES)} floors above their advisories")


def test_every_requirement_is_pinned_within_its_range():
    pins = _pins()
    for requirement in _requirements():
        assert requirement.specifier.contains(pins[requirement.name.lower().replace("_", "-")]), requirement


def test_every_packed_weight_has_the_checksum_against_which_it_is_loaded(tmp_path, figure):
    count = 0
    for metadata in sorted(BUNDLES.glob("*/configs/metadata.json")):
        with zipfile.ZipFile(package(metadata.parents[1], tmp_path)) as archive:
            archive.extractall(tmp_path)
    for path in sorted(tmp_path.glob("*/models/**/*.pt")):
        check_sum(path)
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(InputError, match="expected the checksum that SHA256SUMS states"):
            check_sum(path)
        count += 1
    assert count >= 4
    figure(f"{count} of {count} packed weights have their checksum")


def test_every_dependency_has_a_licence_that_is_listed(figure):
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \| ([\w.+]+) \| (.+?) \|$", page, re.MULTILINE)
    listed = {name.lower().replace("_", "-"): (version, licence) for name, version, licence in rows}
    for name, version in _pins().items():
        assert listed[name][0] == version, f"make licences: {name}"
        assert listed[name][1] != "unknown", name
    figure(f"{len(_pins())} of {len(_pins())} licences listed")


def _wheel(folder):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    (path,) = folder.glob("*.whl")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_source_gives_the_same_wheel(tmp_path, full, figure):
    if not full:
        pytest.skip("builds twice: make reliability")
    assert _wheel(tmp_path / "one") == _wheel(tmp_path / "two")
    figure("2 builds, 1 wheel")


def test_the_policy_says_how_to_report_and_how_soon_one_is_answered():
    assert "72 hours" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
