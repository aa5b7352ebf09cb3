#!/usr/bin/env bash
# torch.argmax over the channels takes several times as long on the CPU as torch.max, which finds the same indices.
#
# Versions:  torch 2.13.0 (CPU).
# Behaviour: x.argmax(1) of logits (4, 28, 192, 192) takes about 3 times, of (1, 3, 96, 96, 96) about 9 times as long as
#            x.max(1).indices, which gives values as well; indices are equal, also where values tie.
# Expected:  not more than torch.max, which does more.
# Hit:       whoever takes classes of a segmentation: argmax(1) is the usual way, and it can take a tenth of a small
#            network's forward pass. A way round: logits.max(1).indices.
#
# Output (times differ from machine to machine):
#   (4, 28, 192, 192): argmax takes 3.3 times as long as max, same indices: True
#   (1, 3, 96, 96, 96): argmax takes 9.2 times as long as max, same indices: True
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy

"$folder/venv/bin/python" - <<'PYTHON'
import time
from statistics import median

import torch

torch.manual_seed(0)
torch.set_num_threads(1)


def seconds(function):
    times = []
    for _ in range(15):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return median(times)


stated = True
for shape in ((4, 28, 192, 192), (1, 3, 96, 96, 96)):
    logits = torch.randn(shape).round(decimals=1)
    ratio = seconds(lambda: logits.argmax(1)) / seconds(lambda: logits.max(1))
    same = torch.equal(logits.argmax(1), logits.max(1).indices)
    stated = stated and same and ratio > 1.5
    print(f"{shape}: argmax takes {ratio:.1f} times as long as max, same indices: {same}")
raise SystemExit(print("as stated") if stated else "another behaviour")
PYTHON
