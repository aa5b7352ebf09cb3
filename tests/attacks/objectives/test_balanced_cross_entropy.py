from __future__ import annotations

import torch
from torch import nn

from monai_advdefense.attacks.objectives import balanced_cross_entropy
from tests.attacks.objectives.pixel_by_pixel import LOGITS, TARGETS


def test_every_class_has_the_same_weight():
    each = nn.functional.cross_entropy(LOGITS, TARGETS, reduction="none", ignore_index=-100)
    expected = [
        sum(each[image][TARGETS[image] == k].mean() for k in range(5) if (TARGETS[image] == k).any())
        for image in range(3)
    ]
    torch.testing.assert_close(balanced_cross_entropy(LOGITS, TARGETS), torch.stack(expected))
