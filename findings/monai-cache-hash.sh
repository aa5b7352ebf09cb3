#!/usr/bin/env bash
# A PersistentDataset that is told to hash its transforms finds nothing again, or what other transforms have made.
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: hash_transform makes the names of the cached files depend on the transforms. Where one of them holds a tensor,
#            pickle_hashing gives another hash in each process, since pickled tensors name their storage by its address: all
#            is computed anew, and the folder grows with every run. With numbers or arrays in place of the tensor it works.
#            json_hashing can hash no transform at all, and falls back to the names of their classes without a word: a
#            transform with other arguments is given what the old ones made.
# Expected:  the same transforms find their cache in the next process, others do not, as "this may reduce errors due to
#            transforms changing during experiments" says; or a warning.
# Hit:       whoever has means, an affine or a network as tensors in a transform and a cache on disk. A way round: a folder
#            of its own for each state of the transforms.
#
# Output:
#   loaded in process 1, 2, 3, tensor: 2 2 2, number: 2 0 0
#   json_hashing, 1 minus 1: 0, then 1 minus 7: 0
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
cat > loaded.py <<'PYTHON'
import sys

import torch
from monai.data import PersistentDataset
from monai.data.utils import json_hashing, pickle_hashing
from monai.transforms import Compose, NormalizeIntensity, Transform

loaded = []


class Load(Transform):
    def __call__(self, name):
        loaded.append(name)
        return torch.ones(1, 4)


def first(mean, cache_dir, hash_transform):
    transform = Compose([Load(), NormalizeIntensity(subtrahend=mean, divisor=1.0)])
    return list(PersistentDataset(["a", "b"], transform, cache_dir, hash_transform=hash_transform))[0]


if sys.argv[1] == "json":
    print(*(f"{first(mean, 'json', json_hashing).mean():.0f}" for mean in (1.0, 7.0)))
else:
    first(torch.tensor([1.0]) if sys.argv[1] == "tensor" else 1.0, sys.argv[1], pickle_hashing)
    print(len(loaded))
PYTHON
three() { for _ in 1 2 3; do "$folder/venv/bin/python" loaded.py "$1" 2> "$folder/stderr"; done | xargs; }
tensor=$(three tensor)
number=$(three number)
read -r same other <<< "$("$folder/venv/bin/python" loaded.py json 2> "$folder/stderr")"
echo "loaded in process 1, 2, 3, tensor: $tensor, number: $number"
echo "json_hashing, 1 minus 1: $same, then 1 minus 7: $other"
[ "$tensor" = "2 2 2" ] && [ "$number" = "2 0 0" ] && [ "$same $other" = "0 0" ] || { echo changed; exit 1; }
echo "as stated"
