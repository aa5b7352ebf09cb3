"""How robust is my segmentation network? A small UNet on phantoms under attacks of several strengths.

    python examples/attack_network.py

Nothing is downloaded or written; half a minute on one core.
"""

from __future__ import annotations

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet
from torch import Tensor

from monai_advdefense.attacks import all_background, dag, pgd, rician_noise, step_size_for
from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.metrics import mean_dice

CLASSES = 4
SIDE = 64


def slices(seed: int) -> tuple[Tensor, Tensor]:
    """Middle slices of a phantom (B, 1, H, W) in [0, 1], and their labels (B, H, W)."""
    image, label = brain_phantom((SIDE, 40, SIDE), seed=seed, classes=CLASSES)
    middle = np.arange(8, 32, 2)
    scaled = torch.from_numpy(image[:, middle].astype(np.float32) / 2000)
    return scaled.permute(1, 0, 2)[:, None], torch.from_numpy(label[:, middle].astype(np.int64)).permute(1, 0, 2)


def train(steps: int = 60) -> UNet:
    """A network to attack; yours is trained."""
    torch.manual_seed(0)
    network = UNet(spatial_dims=2, in_channels=1, out_channels=CLASSES, channels=(16, 32, 64), strides=(2, 2))
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=0.01), DiceCELoss(to_onehot_y=True, softmax=True)
    for step in range(steps):
        image, label = slices(seed=step % 4)
        optimizer.zero_grad()
        loss(network(image), label[:, None]).backward()
        optimizer.step()
    return network.eval()


def main() -> None:
    """Print the Dice of slices under DAG, under PGD of the same norm, and under noise of the same norm."""
    network = train()
    image, label = slices(seed=10)
    mask = image > 0

    def dice(changed: Tensor) -> float:
        with torch.no_grad():
            return float(mean_dice(network(changed).argmax(1), label, CLASSES).nanmean())

    print(f"clean: Dice {dice(image):.2f}")
    print("   norm    DAG    PGD  noise")
    for strength in (0.5, 1.0, 2.0):
        found = dag(
            network, image, label, target=all_background(label), step_size=strength * step_size_for(SIDE), mask=mask
        )
        norm = found.norm.clamp_min(1e-6)
        climbed = pgd(network, image, label, radius=norm, steps=10, step_size=norm / 4, mask=mask)
        noisy = rician_noise(image, norm=norm, mask=mask, generator=torch.Generator().manual_seed(0))
        row = "".join(f"{dice(changed):7.2f}" for changed in (found.image, climbed.image, noisy))
        print(f"{float(norm.mean()):7.2f}{row}")


if __name__ == "__main__":
    main()
