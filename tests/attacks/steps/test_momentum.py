from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.balls import linf
from monai_advdefense.attacks.steps import momentum
from monai_advdefense.attacks.steps.momentum import direction
from monai_advdefense.errors import InputError
from tests.attacks.steps.standing import GRADIENT, IMAGE, here

BALL = linf(IMAGE, 0.08)
FIRST = torch.tensor([[4.0, 0.0], [0.0, 0.0]]).expand(2, 1, 2, 2)
SECOND = torch.tensor([[-1.0, 1.0], [0.0, 0.0]]).expand(2, 1, 2, 2)


def test_it_follows_the_sum_of_gradients_over_their_l1_norm():
    _, memory = momentum(here(FIRST), BALL)
    moved, memory = momentum(here(SECOND, index=1), BALL, memory)
    torch.testing.assert_close(memory[0, 0], torch.tensor([[0.5, 0.5], [0.0, 0.0]]))
    torch.testing.assert_close(moved - IMAGE, 0.01 * torch.tensor([[1.0, 1], [0, 0]]).expand(2, 1, 2, 2))


def test_without_memory_or_with_one_that_decays_at_once_the_last_gradient_counts():
    _, memory = momentum(here(FIRST), BALL)
    alone, _ = momentum(here(SECOND, index=1), BALL)
    forgetful, _ = momentum(here(SECOND, index=1), BALL, memory, decay=0.0)
    assert torch.equal(alone, forgetful)
    torch.testing.assert_close(alone - IMAGE, 0.01 * SECOND.sign())


def test_the_steepest_way_is_the_sign_or_the_gradient_of_length_one():
    assert torch.equal(direction(GRADIENT, "linf"), GRADIENT.sign())
    torch.testing.assert_close(direction(GRADIENT, "l2"), GRADIENT / 13)
    with pytest.raises(InputError, match="norm: expected one of l2, linf, found 'l1'"):
        direction(GRADIENT, "l1")
