"""A file that claims more than it holds, or unpacks to more than it claims, costs neither time nor memory."""

from __future__ import annotations

import gzip

from tests.run_python import run_python

# Memory above that of the imports, and time, of checks in a process of its own.
CHECK = """
import resource, sys, time
from monai_advdefense.data.checks import check_volume_file
from monai_advdefense.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        check_volume_file(path)
    except InputError as error:
        seconds = time.process_time() - start
        megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(seconds, megabytes, str(error).split("expected ")[1])
"""
RULES = {"claims.nii": "at most", "claims.nii.gz": "at most", "unpacks.nii.gz": "found more"}


def _write_bombs(folder, make_nifti, brain):
    claims = make_nifti(brain, shape=(32767, 32767, 32767))
    (folder / "claims.nii").write_bytes(claims)
    (folder / "claims.nii.gz").write_bytes(gzip.compress(claims))
    with gzip.open(folder / "unpacks.nii.gz", "wb", compresslevel=1) as file:
        file.write(make_nifti(brain))
        for _ in range(256):
            file.write(bytes(2**20))


def test_bombs_are_refused_at_once(tmp_path, brain, make_nifti, figure):
    _write_bombs(tmp_path, make_nifti, brain)
    (tmp_path / "check.py").write_text(CHECK, encoding="utf-8")
    done = run_python([str(tmp_path / "check.py"), *(str(tmp_path / name) for name in RULES)])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(rule in line for rule, line in zip(RULES.values(), lines, strict=True))
    seconds, megabytes = (max(float(line.split()[column]) for line in lines) for column in (0, 1))
    assert seconds < 1
    assert megabytes < 300
    figure(f"3 of 3 refused, in at most {seconds:.2f} s and {megabytes:.0f} MB above the imports")
