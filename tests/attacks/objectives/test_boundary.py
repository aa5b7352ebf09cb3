from __future__ import annotations

import torch

from monai_advdefense.attacks.objectives import boundary
from tests.attacks.objectives.pixel_by_pixel import LOGITS


def _pushed(targets, label=None):
    """The pixels ``(1, H, W)`` whose logits have a gradient."""
    logits = LOGITS[:1, :, : targets.shape[1], : targets.shape[2]].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(boundary(logits, targets, label=label).sum(), logits)
    return (gradient != 0).all(1)


def test_the_inside_of_structures_is_left_alone():
    targets = torch.zeros(1, 6, 7, dtype=torch.long)
    targets[:, :, 3:] = 1
    expected = torch.zeros(1, 6, 7, dtype=torch.bool)
    expected[:, :, 2:4] = True
    assert torch.equal(_pushed(targets), expected)


def test_the_edge_of_a_mask_is_no_outline_of_a_structure():
    label = torch.zeros(1, 6, 7, dtype=torch.long)
    label[:, 1:5, 1:6] = 1
    targets = label.masked_fill(label == 0, -100)
    targets[..., 4:] = -100  # a mask through the structure
    expected = torch.zeros(1, 6, 7, dtype=torch.bool)
    expected[:, 1:5, 1:4] = True
    expected[:, 2:4, 2:4] = False  # inside
    assert torch.equal(_pushed(targets, label), expected)
