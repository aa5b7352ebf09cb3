from __future__ import annotations

import torch

from monai_advdefense.attacks.targeted_pixels import segmentation_targets


def test_targets_are_the_foreground_within_the_mask():
    label = torch.tensor([[0, 1, 2, 3]], dtype=torch.uint8)
    mask = torch.tensor([[[True, True, False, True]]])
    image = torch.zeros(1, 1, 4)
    assert segmentation_targets(label, image, None, False).tolist() == [[-100, 1, 2, 3]]
    assert segmentation_targets(label, image, None, True).tolist() == [[0, 1, 2, 3]]
    assert segmentation_targets(label, image, mask, True).tolist() == [[0, 1, -100, 3]]
    assert label.tolist() == [[0, 1, 2, 3]]
