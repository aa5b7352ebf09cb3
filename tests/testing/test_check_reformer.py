from __future__ import annotations

import pytest
from monai.networks.nets import UNet
from torch import nn

from monai_advdefense.testing import CheckFailedError, check_reformer


class Reformer(nn.Module):
    def __init__(self, rule):
        super().__init__()
        self.rule = rule
        self.norm = nn.BatchNorm2d(1)

    def forward(self, image):
        return self.rule(self, image)


def test_networks_pass():
    check_reformer(UNet(2, 1, 1, (4, 8), (2,)).eval())
    check_reformer(nn.Conv3d(2, 2, 3, padding=1).eval(), shape=(2, 6, 6, 6))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda self, image: image[..., 1:], "found .* of torch.float32: give shape and type"),
        (lambda self, image: image.double(), "of torch.float64"),
        (lambda self, image: image.detach().clone(), "a gradient by the image, found none"),
        (lambda self, image: image / image.amax((1, 2, 3), keepdim=True), "finite images, of blank ones too"),
        (lambda self, image: image - image.mean(), "images that do not depend on the batch"),
        (lambda self, image: self.norm(image), "a network whose weights and statistics stay"),
        (lambda self, image: (image.sum(), image), "found no tensor"),
    ],
)
def test_a_broken_reformer_is_named(rule, message):
    with pytest.raises(CheckFailedError, match=message):
        check_reformer(Reformer(rule))


def test_gradient_of_a_root_is_named():
    root = Reformer(lambda self, image: (0 * image).sqrt() + image)
    with pytest.raises(CheckFailedError, match="a finite gradient by the image"):
        check_reformer(root)
