#!/usr/bin/env bash
# A mask by a threshold of Hounsfield units, on an image that is stored as uint8: torch compares with another number.
#
# Versions:  torch 2.13.0, monai 1.6.1, numpy 2.4.6.
# Behaviour: torch turns a Python integer into the type of the tensor before it compares, without an error: on uint8,
#            -500 becomes 12 and 256 becomes 0. So `image > -500` is false for 0 and 1, and `image == 256` is true for
#            0. A float such as -500.0 is compared as it is, and so are integers with int16 within its range. MONAI's
#            ThresholdIntensity with such a threshold changes pixels that it should keep.
# Expected:  what numpy 2 does: a Python integer outside of the range of the type compares as the number that it is.
# Hit:       whoever masks or clips images by a constant from a protocol (air below -500 HU) and meets one that a
#            converter has stored as uint8. A way round: give thresholds as floats, or cast images to float first.
#
# Output:
#   image                [0, 1, 100] (torch.uint8)
#   image > -500         torch [False, False, True], numpy [True, True, True]
#   image > -500.0       torch [True, True, True], numpy [True, True, True]
#   image == 256         torch [True, False, False], numpy [False, False, False]
#   ThresholdIntensity(-500, cval=7): [7, 7, 100]
#   ThresholdIntensity(-500.0, cval=7): [0, 1, 100]
#   as stated: integers wrap around, floats do not
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from monai.transforms import ThresholdIntensity

image = torch.tensor([0, 1, 100], dtype=torch.uint8)
print(f"image                {image.tolist()} ({image.dtype})")
seen = []
for name, compare in (
    ("image > -500", lambda values: values > -500),
    ("image > -500.0", lambda values: values > -500.0),
    ("image == 256", lambda values: values == 256),
):
    answers = compare(image).tolist(), compare(image.numpy()).tolist()
    print(f"{name:<20} torch {answers[0]}, numpy {answers[1]}")
    seen.append(answers)
for threshold in (-500, -500.0):
    kept = ThresholdIntensity(threshold, above=True, cval=7)(image).tolist()
    print(f"ThresholdIntensity({threshold}, cval=7): {kept}")
    seen.append(kept)
right = [True, True, True]
stated = [
    ([False, False, True], right),
    (right, right),
    ([True, False, False], [False, False, False]),
    [7, 7, 100],
    [0, 1, 100],
]
assert seen == stated, f"changed: expected {stated}, found {seen}"
print("as stated: integers wrap around, floats do not")
PYTHON
