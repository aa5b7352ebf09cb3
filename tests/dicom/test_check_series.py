from __future__ import annotations

import numpy as np

from monai_advdefense.commands.main import main
from monai_advdefense.dicom.check_series import check_series


def test_each_series_has_its_answer(make_series, tmp_path):
    make_series("study/good")
    make_series("study/gap", skip=[1])
    make_series("study/empty", values=np.zeros((4, 4, 4), np.int16))
    found = check_series(tmp_path / "study")
    assert list(found) == ["empty", "gap", "good"]
    assert found["good"] is None
    assert found["gap"].startswith("gap: expected slices every 2 mm")
    assert found["empty"].startswith("empty: expected an image, found the value 0")


def test_the_command_checks_series(make_series, capsys):
    folder = make_series("t1")
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "ok: t1\n1 of 1 inputs can be used\n"
