from __future__ import annotations

import subprocess
import sys

import pytest


def test_loading_says_nothing_of_decoders_that_are_missing():
    pytest.importorskip("pydicom")
    code = "import monai_advdefense.quiet_readers; from monai.transforms import LoadImage; LoadImage()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "nvImageCodec" not in done.stderr + done.stdout
