#!/usr/bin/env bash
# An expression in a configuration of MONAI that refers to another entry must not contain the letters "import".
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: "$@importance * 2", "$@folder + '/important'" and "$__import__('math').sqrt(@value)" end with "SyntaxError: invalid syntax",
#            without the name of the entry; the same expressions with other names, or without a reference, work. Whether an
#            expression is an import statement is asked of Python's parser before the references are replaced, and only of those
#            with these letters in them: "@" is no Python.
# Expected:  the references are replaced first, or an expression that cannot be parsed is none that imports.
# Hit:       whoever names an entry or a folder so ("importance_map", "imported"), or imports within an expression that refers to
#            another entry. A way round: another name, or "imports": ["$import math"] as an entry of its own.
#
# Output:
#   weight * 2: 6
#   importance * 2: SyntaxError: invalid syntax
#   folder + other name: data/special
#   import within: SyntaxError: invalid syntax
#   folder + name: SyntaxError: invalid syntax
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

CASES = {
    "weight * 2": ({"weight": 3, "x": "$@weight * 2"}, "6"),
    "importance * 2": ({"importance": 3, "x": "$@importance * 2"}, "SyntaxError: invalid syntax"),
    "folder + other name": ({"folder": "data", "x": "$@folder + '/special'"}, "data/special"),
    "import within": ({"value": 4, "x": "$__import__('math').sqrt(@value)"}, "SyntaxError: invalid syntax"),
    "folder + name": ({"folder": "data", "x": "$@folder + '/important'"}, "SyntaxError: invalid syntax"),
}
for name, (config, expected) in CASES.items():
    try:
        found = str(ConfigParser(config).get_parsed_content("x"))
    except SyntaxError as error:
        found = f"SyntaxError: {error.msg}"
    print(f"{name}: {found}")
    assert found == expected, "changed"
print("as stated")
PYTHON
