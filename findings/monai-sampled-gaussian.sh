#!/usr/bin/env bash
# MONAI's GaussianSmooth makes an image brighter, by up to four times, if the kernel is "sampled".
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: GaussianSmooth(sigma, approx="sampled") weighs the neighbours by a kernel that is not divided by its sum.
#            For a sigma well below a voxel the sum is above 1 on every axis: a constant volume of ones becomes one of
#            4.07 at sigma 0.25 and 1.04 at 0.5. With "erf" and "scalespace" it stays at 1.
# Expected:  smoothing keeps a constant image as it is; the choice of approx changes the form of the kernel slightly,
#            never the brightness.
# Hit:       whoever picks "sampled", the textbook's kernel, for GaussianSmooth or RandGaussianSmooth, whose sigmas begin
#            at 0.25 if one says nothing: the augmentation scales the intensities at random as well, after they have been
#            normalised, and values leave [0, 1]. A way round: "erf" or "scalespace".
#
# Output:
#   a volume of ones, smoothed by approx='erf' with sigma (0.25, 0.5, 1.0): [1.0, 1.0, 1.0]
#   a volume of ones, smoothed by approx='scalespace' with sigma (0.25, 0.5, 1.0): [1.0, 1.0, 1.0]
#   a volume of ones, smoothed by approx='sampled' with sigma (0.25, 0.5, 1.0): [4.07, 1.04, 1.0]
#   as stated: the kernel 'sampled' does not keep the brightness
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from monai.transforms import GaussianSmooth

SIGMAS = (0.25, 0.5, 1.0)
volume = torch.ones(1, 17, 17, 17)  # the voxel in the middle is out of reach of the border


def smoothed(sigma, approx):
    """The voxel in the middle of a volume of ones after smoothing."""
    return float(GaussianSmooth(sigma, approx)(volume)[0, 8, 8, 8])


seen = {approx: [round(smoothed(sigma, approx), 2) for sigma in SIGMAS] for approx in ("erf", "scalespace", "sampled")}
for approx, values in seen.items():
    print(f"a volume of ones, smoothed by approx={approx!r} with sigma {SIGMAS}: {values}")
stated = {"erf": [1.0, 1.0, 1.0], "scalespace": [1.0, 1.0, 1.0], "sampled": [4.07, 1.04, 1.0]}
assert seen == stated, f"changed: expected {stated}, found {seen}"
print("as stated: the kernel 'sampled' does not keep the brightness")
PYTHON
