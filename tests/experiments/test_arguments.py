from __future__ import annotations

import pytest

from experiments.arguments import page_parser
from experiments.bundles import BUNDLES


def test_every_page_has_its_data_and_its_place(capsys):
    parser = page_parser("screen", "Measure it.", page="screen-results.md")
    found = vars(parser.parse_args(["--dataset_dir", "data"]))
    assert found == {"dataset_dir": "data", "bundles": BUNDLES, "work_dir": None, "output": "docs/screen-results.md"}
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert (
        "python -m experiments.screen: error: the following arguments are required: --dataset_dir"
        in capsys.readouterr().err
    )
