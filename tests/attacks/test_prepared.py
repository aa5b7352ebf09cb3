from __future__ import annotations

import torch
from torch import nn

from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.prepared import prepared

IMAGE = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABEL = torch.ones(3, 4, 4, dtype=torch.long)
LABEL[1] = 0
NETWORK = nn.Conv2d(1, 2, 1)


def test_an_image_without_a_targeted_pixel_cannot_leave_its_center():
    ball, task = prepared(NETWORK, IMAGE, LABEL, budget=0.1, ball=linf)
    assert ball.reach("linf").flatten().tolist() == torch.tensor([0.1, 0.0, 0.1]).tolist()
    assert task.pixels.tolist() == [16, 0, 16]
    ball, task = prepared(NETWORK, IMAGE, LABEL, budget=torch.tensor([0.1, 0.2, 0.3]), ball=l2, include_background=True)
    assert ball.reach("l2").flatten().tolist() == torch.tensor([0.1, 0.2, 0.3]).tolist()
    assert task.pixels.tolist() == [16, 16, 16]


def test_a_mask_of_any_type_bounds_both_the_ball_and_the_task():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 3
    ball, task = prepared(NETWORK, IMAGE, LABEL, budget=0.1, ball=linf, mask=mask, bounds=None)
    moved = ball.image(ball.project(IMAGE + 1)) - IMAGE
    assert torch.equal(task.targets[0] >= 0, mask[0, 0] > 0)
    torch.testing.assert_close(ball.within(torch.ones_like(IMAGE)), (mask > 0).float().expand_as(IMAGE))
    assert ball.bounds is None
    torch.testing.assert_close(moved[0], torch.full((1, 4, 4), 0.1))


def test_outputs_are_read_as_the_options_say():
    label = LABEL.clone()
    label[0, 0] = 255
    one = nn.Conv2d(1, 1, 1)
    _, task = prepared(
        lambda image: {"seg": one(image)},
        IMAGE,
        label,
        budget=0.1,
        ball=linf,
        activation="sigmoid",
        logits_of=lambda output: output["seg"],
        ignore_index=255,
    )
    assert task.pixels.tolist() == [12, 0, 16]
    logits = task.logits(IMAGE)
    torch.testing.assert_close(logits[1:, 1], one(IMAGE)[1:, 0])
    assert not logits[1:, 0].any()
