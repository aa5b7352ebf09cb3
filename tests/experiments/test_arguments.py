from __future__ import annotations

import pytest

from experiments.arguments import data_parser, page_parser
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


def test_what_writes_no_page_has_the_same_options_but_that():
    page, data = page_parser("screen", "", page="a.md"), data_parser("screen.fit", "Fit it.")
    found = [vars(parser.parse_args(["--dataset_dir", "d", "--work_dir", "w"])) for parser in (page, data)]
    assert found[0].pop("output") == "docs/a.md"
    assert found[0] == found[1]
    assert data.prog == "python -m experiments.screen.fit"
    assert "Fit it." in data.format_help()
