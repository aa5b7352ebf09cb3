"""Guard a 3-D network of your own: a MONAI UNet on generated brains, with the detector and reformer of this project.

    python examples/guard_any_network.py

Nothing is downloaded or written; half a minute on one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import SlidingWindowInferer
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from monai.transforms import AsDiscreted, Compose, Invertd, NormalizeIntensityd, Orientationd, SpatialPadd
from torch import Tensor

from monai_advdefense.bundle_tools import Guard
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.guard.calibration import threshold_at_false_positive_rate
from monai_advdefense.transforms import DetectAdversarial

GUARD_DIR = Path(__file__).parents[1] / "bundles" / "brain_mri_defended_segmentation"
SHAPE = (64, 20, 64)
TAMPERED = slice(8, 12)

# What you have already: a network, its inferer, and transforms before and after it.
network = UNet(spatial_dims=3, in_channels=1, out_channels=3, channels=(8, 16, 32), strides=(2, 2))
inferer = SlidingWindowInferer(roi_size=(64, 24, 64))
preprocessing = Compose(
    [
        Orientationd("image", axcodes="LPS", labels=None),
        SpatialPadd("image", spatial_size=(64, 24, 64)),
        NormalizeIntensityd("image", nonzero=True),
    ]
)
postprocessing = Compose([Invertd("pred", preprocessing, orig_keys="image"), AsDiscreted("pred", argmax=True)])


def load(seed: int) -> tuple[MetaTensor, Tensor]:
    """A brain (1, X, Y, Z) in the units of a scanner, and its labels."""
    image, label = brain_phantom(SHAPE, seed=seed, classes=3)
    return MetaTensor(torch.from_numpy(image[None].astype(np.float32)), affine=torch.eye(4)), torch.from_numpy(
        label[None]
    )


def tamper(image: MetaTensor) -> MetaTensor:
    """Noise in four slices, within the brain."""
    noise = 200 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    tampered = image.clone()
    tampered[:, :, TAMPERED] = (image + noise).clamp(1, 2000)[:, :, TAMPERED]
    return tampered.where(image > 0, 0)


def train(steps: int = 20) -> None:
    """Fit the network a little; yours is trained."""
    torch.manual_seed(0)
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=0.02), DiceCELoss(to_onehot_y=True, softmax=True)
    cases = [load(seed) for seed in range(3)]
    for step in range(steps):
        image, label = cases[step % len(cases)]
        # The same transforms for both, but for the intensities.
        data = preprocessing({"image": image})
        target = Compose(preprocessing.transforms[:2])({"image": MetaTensor(label, affine=image.affine)})
        optimizer.zero_grad()
        loss(network(data["image"].as_tensor()[None]), target["image"].as_tensor()[None]).backward()
        optimizer.step()
    network.eval()


def calibrate(guard: Guard) -> None:
    """The shipped threshold is for real brains: set one on clean images of your own."""
    detect = DetectAdversarial(guard.detector, guard.slice_dim, slice_size=guard.slice_size)
    scores = torch.cat([detect(load(seed)[0])[0] for seed in range(10, 16)])
    guard.detector.threshold.fill_(threshold_at_false_positive_rate(scores[scores > 0], 0.05))


@torch.no_grad()
def segment(image: MetaTensor, before: Compose, after: Compose) -> Tensor:
    """Labels (1, X, Y, Z) of an image."""
    data = before({"image": image})
    data["pred"] = inferer(data["image"][None], network)[0]
    return after(data)["pred"].as_tensor()


def main() -> None:
    """Segment a clean and a tampered brain, with and without the guard."""
    train()
    guard = Guard.from_bundle(GUARD_DIR)
    calibrate(guard)
    before, after = guard.preprocessing(preprocessing), guard.postprocessing(postprocessing)

    clean, label = load(20)
    for name, image in (("clean", clean), ("tampered", tamper(clean))):
        plain, guarded = segment(image, preprocessing, postprocessing), segment(image, before, after)
        rejected = (guarded == guard.label).all(3).all(1)[0]
        kept = ~rejected[:, None].expand_as(label)
        right = [float((pred == label)[kept & (label > 0)].float().mean()) for pred in (plain, guarded)]
        print(f"{name}: rejected slices {rejected.nonzero().flatten().tolist()} of {len(rejected)}")
        print(f"  correct brain voxels in accepted slices: {right[0]:.2f} without the guard, {right[1]:.2f} with it")


if __name__ == "__main__":
    main()
