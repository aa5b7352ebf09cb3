#!/usr/bin/env bash
# A compiled MONAI BasicUNet cannot be trained on the CPU: its replication padding ends backward with an AssertionError.
#
# Versions:  MONAI 1.6.1, torch 2.13.0 (CPU).
# Behaviour: backward through torch.compile(network) raises an AssertionError about the strides of
#            replication_pad2d_backward, whose output the compiler expects in another layout than it gets, in
#            contiguous as in channels-last layout. BasicUNet calls torch.nn.functional.pad with mode "replicate" in
#            each step of its decoder, by 0 voxels where the sizes fit, so this reaches images that need no padding.
#            Without torch.compile the same network has gradients; inference of the compiled one is not concerned.
# Expected:  the gradients of the network that is not compiled.
# Hit:       whoever compiles a U-Net for training or for attacks on the CPU.
#            A way round: set is_pad=False in the UpCat blocks where sizes are multiples of 16.
#
# Output:
#   contiguous: AssertionError, names replication_pad2d_backward: True
#   channels last: AssertionError, names replication_pad2d_backward: True
#   channels last, without padding: gradients equal
#   as stated
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
"$folder/venv/bin/pip" install --quiet monai==1.6.1 setuptools

TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from monai.networks.nets import BasicUNet
from monai.networks.nets.basic_unet import UpCat

torch.manual_seed(0)
network = BasicUNet(spatial_dims=2, in_channels=1, out_channels=2, features=(4, 4, 4, 4, 4, 4))
image = torch.rand(2, 1, 32, 32)


def gradients(called):
    network.zero_grad()
    called(image).square().mean().backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


def told():
    torch._dynamo.reset()
    try:
        compiled = gradients(torch.compile(network))
    except AssertionError as error:
        return f"AssertionError, names replication_pad2d_backward: {'replication_pad2d_backward' in str(error)}"
    same = all(torch.allclose(a, b, atol=1e-4) for a, b in zip(compiled, gradients(network), strict=True))
    return "gradients equal" if same else "other gradients"


found = [f"contiguous: {told()}"]
network.to(memory_format=torch.channels_last)
image = image.contiguous(memory_format=torch.channels_last)
found.append(f"channels last: {told()}")
for part in network.modules():
    if isinstance(part, UpCat):
        part.is_pad = False
found.append(f"channels last, without padding: {told()}")
print("\n".join(found))
stated = [
    "contiguous: AssertionError, names replication_pad2d_backward: True",
    "channels last: AssertionError, names replication_pad2d_backward: True",
    "channels last, without padding: gradients equal",
]
raise SystemExit(print("as stated") if found == stated else "another behaviour")
PYTHON
