"""The command ``advdefense``: verbs, options and exit codes."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from monai_advdefense import __version__
from monai_advdefense.errors import EXIT_BAD_INPUT, AdvDefenseError
from monai_advdefense.messages import broken_rule

__all__ = ["main"]

_VERBS = {
    "screen": "segment brain volumes behind the guard, with scores and reports",
    "guard": "put the guard in front of the network of another bundle",
    "attack": "write attacked copies of volumes, and measure what the guard sees of them",
    "robustness": "measure how robust the network of a bundle is: attacks, corruptions, one page",
    "calibrate": "fit the guard's thresholds on clean volumes of your own",
    "merge": "one report over the volumes of several runs that have shared them",
    "check": "check that files can be used, without any network",
    "info": "bundles that are found here: version, weights, threshold, licence",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which leaves out empty lines of a list of inputs."""

    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        # Some editors begin a file with a mark of its encoding.
        line = arg_line.removeprefix("\ufeff")
        return [line] if line.strip() else []

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_BAD_INPUT, f"error: {message}: see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``advdefense VERB ...``.

    Args:
        arguments: words behind ``advdefense``; those of the command line by default.

    Returns:
        Exit code: 0; or 2 for bad input and 3 for a suspicious batch, with one line on stderr. An internal error passes
        with its traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _Parser(
        prog="advdefense",
        allow_abbrev=False,
        fromfile_prefix_chars="@",
        description="Guard medical image segmentation against spoilt inputs.",
    )
    parser.add_argument("--version", action="version", version=f"advdefense {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, summary in _VERBS.items():
        subparser = verbs.add_parser(
            verb, help=summary, allow_abbrev=False, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if verb in words[:1]:
            # Only the verb in use says its options: what the others would import is not needed.
            importlib.import_module(f"monai_advdefense.commands.{verb}").add_arguments(subparser)
    try:
        if words[:1] and words[0] in _VERBS:
            _check_options(words[1:], verbs.choices[words[0]])
        options = parser.parse_args(words)
        importlib.import_module(f"monai_advdefense.commands.{options.verb}").run(options)
    except AdvDefenseError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _check_options(words: Sequence[str], parser: argparse.ArgumentParser) -> None:
    """Refuse empty words, and name the nearest option of a misspelt one before it is said that another is missing."""
    if "" in words:
        # As a path it would stand for the current folder.
        raise broken_rule(parser.prog, "words", "an empty one", "is a variable of the shell empty?")
    known = [option for action in parser._actions for option in action.option_strings]
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        if option not in known:
            nearest = difflib.get_close_matches(option, known, 1)
            remedy = f"did you mean {nearest[0]}?" if nearest else f"see {parser.prog} --help"
            raise broken_rule(option, f"an option of {parser.prog}", "none of this name", remedy)
