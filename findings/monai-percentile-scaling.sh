#!/usr/bin/env bash
# MONAI's scaling by percentiles to [0, 1], with clip=True, gives values of 1,000 where the object is small.
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: ScaleIntensityRangePercentiles(0, 99.5, 0, 1, clip=True) of a volume of which less than 0.5 % is not background:
#            both percentiles are 0, and the volume comes back as it is, neither scaled nor clipped, with Python's warning
#            "Divide by zero", which is shown once for each place in the code. From 0.5 % on it comes back in [0, 1].
# Expected:  clip=True means that nothing leaves [b_min, b_max], whatever the percentiles are; or an error.
# Hit:       whoever normalises volumes with a large background, such as skull-stripped ones in the field of view of the whole
#            head, or crops of small structures: most volumes are in [0, 1], a few in the units of the scanner, and a network
#            gets both. A way round: scale by the percentiles of the foreground, or check the range afterwards.
#
# Output:
#   0.2 % of the voxels are not 0: values up to 1000, warning: Divide by zero (a_min == a_max)
#   0.8 % of the voxels are not 0: values up to 1, warning: none
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from monai.transforms import ScaleIntensityRangePercentiles

scale = ScaleIntensityRangePercentiles(lower=0, upper=99.5, b_min=0, b_max=1, clip=True)
seen = {}
for edge in (8, 13):
    volume = torch.zeros(1, 64, 64, 64)
    volume[0, :edge, :edge, :edge] = torch.linspace(100, 1000, edge)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        largest = round(float(scale(volume).max()))
    told = str(warned[0].message) if warned else "none"
    seen[round(100 * float((volume > 0).float().mean()), 1)] = (largest, told)
for share, (largest, told) in seen.items():
    print(f"{share} % of the voxels are not 0: values up to {largest}, warning: {told}")
assert seen == {0.2: (1000, "Divide by zero (a_min == a_max)"), 0.8: (1, "none")}, "changed"
print("as stated")
PYTHON
