"""Options that the experiments share."""

from __future__ import annotations

import argparse

from experiments.bundles import BUNDLES


def data_parser(experiment: str, description: str | None) -> argparse.ArgumentParser:
    """Options of ``python -m experiments.NAME``, which measures networks of the bundles on a data set."""
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{experiment}", description=description)
    parser.add_argument("--dataset_dir", required=True, metavar="DIR", help="data in the layout of MALC 2012")
    parser.add_argument("--bundles", default=BUNDLES, metavar="DIR", help="folder of the bundles")
    parser.add_argument("--work_dir", metavar="DIR", help="measurements and tables; kept between runs")
    return parser


def page_parser(experiment: str, description: str | None, *, page: str) -> argparse.ArgumentParser:
    """The same options, and the page of ``docs/`` that is written."""
    parser = data_parser(experiment, description)
    parser.add_argument("--output", default=f"docs/{page}", metavar="FILE", help="the Markdown file")
    return parser
