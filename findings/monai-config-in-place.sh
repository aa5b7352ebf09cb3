#!/usr/bin/env bash
# Asking MONAI's ConfigParser for content rewrites the dictionary that it was given, references and macros alike.
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: ConfigParser(config) keeps the caller's own dictionary. The first get_parsed_content, of whatever entry, writes
#            "@losses::dice" for "@losses#dice" everywhere in it, and the text of a macro for the macro. Nested parts that
#            were given by update() are rewritten too, while their owner still holds them.
# Expected:  reading leaves the configuration as it was, or the parser takes a copy.
# Hit:       whoever tells configurations apart by a checksum, compares one with its file, or shares a part of one between
#            two parsers: before and after are different texts. A way round: ConfigParser(copy.deepcopy(config)).
#
# Output:
#   before: {'losses': {'dice': 1}, 'loss': '@losses#dice', 'same': '%losses'}
#   after: {'losses': {'dice': 1}, 'loss': '@losses::dice', 'same': {'dice': 1}}
#   part given by update: {'loss': '@losses::dice'}
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from monai.bundle import ConfigParser

config = {"losses": {"dice": 1}, "loss": "@losses#dice", "same": "%losses"}
print("before:", config)
ConfigParser(config).get_parsed_content("losses")
print("after:", config)
assert config == {"losses": {"dice": 1}, "loss": "@losses::dice", "same": {"dice": 1}}, "changed"

part = {"loss": "@losses#dice"}
parser = ConfigParser({"losses": {"dice": 1}})
parser.update({"train": part})
parser.get_parsed_content("losses")
print("part given by update:", part)
assert part == {"loss": "@losses::dice"}, "changed"
print("as stated")
PYTHON
