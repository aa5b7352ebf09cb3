from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.objectives import grow_structure_margin, structure_margin


def test_margin_equals_a_loop_over_pixels():
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(0, 4, (2, 3, 3), generator=torch.Generator().manual_seed(1))
    targets[0, 0] = -100
    expected = 0.0
    for b, i, j in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(3)).tolist():
        pixel, wanted = logits[b, :, i, j].tolist(), int(targets[b, i, j])
        if wanted >= 0:
            expected -= max(pixel.pop(wanted) - max(pixel), 0.0)
    assert float(structure_margin(logits, targets).sum()) == pytest.approx(expected, rel=1e-6)


def test_margin_of_one_structure_leaves_out_the_others():
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.randint(0, 4, (2, 3, 3), generator=torch.Generator().manual_seed(1))
    alone = torch.where(targets == 2, targets, -100)
    torch.testing.assert_close(structure_margin(logits, targets, structure=2), structure_margin(logits, alone))


def test_growing_pulls_the_pixels_near_the_structure_and_no_others():
    targets = torch.full((1, 9, 9), -100)
    targets[:, 4, 4] = 1
    logits = torch.zeros(1, 3, 9, 9)
    logits[:, 0] = 2
    logits.requires_grad_()
    loss = grow_structure_margin(logits, targets, structure=1, reach=2)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    near = torch.zeros(9, 9)
    near[2:7, 2:7] = 1
    near[4, 4] = 0
    assert loss.tolist() == [-2 * 24]
    assert torch.equal(gradient[0, 1], near)
    assert torch.equal(gradient[0, 0], -near)
