from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.guard import ReconstructionDetector
from monai_advdefense.testing import CheckFailedError, check_detector


class Detector(nn.Module):
    def __init__(self, rule):
        super().__init__()
        self.rule = rule
        self.norm = nn.BatchNorm2d(1)

    def score(self, image):
        return self.rule(self, image)


def squares(image):
    return image.square().flatten(1).sum(1)


@pytest.mark.parametrize("domain", ["spectrum", "image"])
def test_detectors_of_the_guard_pass(domain):
    torch.manual_seed(0)
    check_detector(ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), domain=domain).eval())
    check_detector(Detector(lambda self, image: squares(image)), shape=(2, 5, 6, 7))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda self, image: squares(image)[:, None], r"finite scores \(B,\)"),
        (lambda self, image: squares(image.detach()), "a gradient by the image, found none"),
        (lambda self, image: squares(image) * squares(image).mean(), "scores that do not depend on the batch"),
        (lambda self, image: squares(image) / image.flatten(1).amax(1), "a finite score of a blank image"),
        (lambda self, image: squares(image.round()), "a finite gradient by every image"),
        (lambda self, image: squares(self.norm(image)), "a network whose weights and statistics stay"),
    ],
)
def test_a_broken_detector_is_named(rule, message):
    with pytest.raises(CheckFailedError, match=message):
        check_detector(Detector(rule))
