#!/usr/bin/env bash
# MONAI's RandGibbsNoise turns some volumes black, and its zero setting changes volumes.
#
# Versions:  monai 1.6.1; beside it torch 2.13.0, numpy 2.4.6.
# Behaviour: GibbsNoise(alpha) keeps the frequencies within a sphere around the middle of the array, (size - 1) / 2. For an
#            even size that lies between frequencies 0 and -1: for alpha near 1 the mean goes as well, and a volume of 32 x 32
#            x 32 voxels becomes zeros from alpha 0.97 on, where one of 33 x 33 x 33 keeps its mean. RandGibbsNoise draws alpha
#            from 0 to 1 if one says nothing: 40 of 1,000 such patches come out black. The other end is said to be the
#            identity, and is it in 2-D alone: the radius at alpha 0 reaches the corners of a square, not those of a cube.
# Expected:  the mean stays, as in a scanner that measures fewer lines, for every size; alpha 0 changes nothing.
# Hit:       whoever trains on 3-D patches of even size, as most are, with this augmentation: some are black beside labels that
#            are not. A way round: an upper limit of alpha, such as 0.9.
#
# Output:
#   mean of ones at alpha 0.97: 32^3 0.00, 33^3 1.00
#   black of 1000 patches of 32^3: 40
#   change at alpha 0: 32^2 less than 1e-6 True, 33^3 less than 1e-6 False
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/pip" install --quiet monai==1.6.1

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from monai.transforms import GibbsNoise, RandGibbsNoise


def mean(size, alpha):
    return float(GibbsNoise(alpha)(torch.ones(1, size, size, size)).mean())


def unchanged(*shape):
    image = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    return torch.allclose(torch.as_tensor(GibbsNoise(0.0)(image)), image, rtol=0, atol=1e-6)


noise = RandGibbsNoise(prob=1.0).set_random_state(seed=0)
ones = torch.ones(1, 32, 32, 32)
black = sum(bool((noise(ones) == 0).all()) for _ in range(1000))
even, odd = mean(32, 0.97), mean(33, 0.97)
print(f"mean of ones at alpha 0.97: 32^3 {even:.2f}, 33^3 {odd:.2f}")
print(f"black of 1000 patches of 32^3: {black}")
square, cube = unchanged(32, 32), unchanged(33, 33, 33)
print(f"change at alpha 0: 32^2 less than 1e-6 {square}, 33^3 less than 1e-6 {cube}")
assert even == 0.0 and abs(odd - 1) < 1e-5 and black == 40, "changed"
assert square and not cube, "changed"
print("as stated")
PYTHON
