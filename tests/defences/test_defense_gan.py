from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from monai_advdefense.defences import DefenseGAN, project, wasserstein_critic_loss, wasserstein_generator_loss
from monai_advdefense.errors import InputError


def _linear(code_size=3, side=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(code_size, side * side), nn.Unflatten(1, (1, side, side)))


def test_a_linear_generator_gives_the_least_squares_code():
    generator, image = _linear(), torch.rand(5, 1, 4, 4)
    made, code = project(generator, image, torch.zeros(1, 3), steps=300, step_size=2.0)
    right = (image.flatten(1) - generator[0].bias).T
    expected = torch.linalg.lstsq(generator[0].weight, right).solution.T
    torch.testing.assert_close(code, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(made, generator(expected), rtol=1e-3, atol=1e-4)


def test_a_sample_does_not_depend_on_the_others():
    generator, image, start = _linear(), torch.rand(5, 1, 4, 4), torch.randn(4, 3)
    options = {"start": start, "steps": 7, "step_size": 2.0}
    together = project(generator, image, **options)[1]
    alone = torch.cat([project(generator, each[None], **options)[1] for each in image])
    torch.testing.assert_close(together, alone)


class _Bent(nn.Module):
    """Codes z to the curve (z, z^2)."""

    def forward(self, code):
        return torch.stack([code, code.square()], dim=-1)


def test_the_best_of_several_searches_counts():
    image, options = torch.tensor([[[2.0, 4.0]]]), {"steps": 300, "step_size": 0.02}
    stuck = project(_Bent(), image, torch.tensor([[-1.0]]), **options)[1]
    # Where the derivative of the distance, 4 z^3 - 14 z - 4, is zero and rises, beside z = 2.
    assert stuck.item() == pytest.approx(-1 - 0.5**0.5, abs=1e-3)
    made, code = project(_Bent(), image, torch.tensor([[-1.0], [1.0], [-2.0]]), **options)
    assert code.item() == pytest.approx(2, abs=1e-3)
    torch.testing.assert_close(made, image, rtol=0, atol=0.01)


@pytest.mark.parametrize("steps", [14, 60])
def test_searches_that_leave_all_bounds_are_refused(steps):
    """After 14 steps the error is infinite, after 60 not a number."""
    image = torch.tensor([[[0.2, 0.8]]])
    with pytest.raises(InputError, match="step_size: expected a search that ends at a finite error"):
        project(nn.Unflatten(1, (1, 2)), image, torch.zeros(1, 2), steps=steps, step_size=50.0)


def test_what_was_generated_comes_back_and_what_was_not_comes_near():
    network = DefenseGAN(_linear(), 3, restarts=3, steps=300, step_size=10.0)
    clean = network.generator(torch.randn(4, 3)).detach()
    attacked = (clean + 0.1 * torch.randn(clean.shape)).clamp(0, 1)
    torch.testing.assert_close(network(clean), clean, rtol=0, atol=0.01)
    assert ((network(attacked) - clean).square().mean() < (attacked - clean).square().mean() / 2).item()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_evaluators_run_and_leaves_no_trace(context):
    torch.manual_seed(0)
    network = DefenseGAN(nn.Sequential(_linear(), nn.BatchNorm2d(1)), 3, restarts=2, steps=3).train()
    before = copy.deepcopy(network.state_dict())
    image = torch.rand(2, 1, 4, 4)
    with context():
        made = network(image)
        again = network(image)
    assert torch.equal(made, again)
    assert 0 <= made.min() <= made.max() <= 1
    assert not made.requires_grad
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_a_linear_critic_has_a_loss_in_closed_form():
    critic = nn.Sequential(nn.Flatten(), nn.Linear(6, 1, bias=False))
    weight = critic[1].weight
    fake, real = torch.rand(2, 5, 1, 2, 3)
    fake.requires_grad_()
    loss = wasserstein_critic_loss(fake, real, critic=critic, penalty=10.0)
    difference = (fake - real).detach().flatten(1).mean(0)
    length = weight.norm()
    torch.testing.assert_close(loss, (weight @ difference).sum() + 10 * (length - 1) ** 2)
    loss.backward()
    torch.testing.assert_close(weight.grad, (difference + 20 * (length - 1) * weight / length).detach())
    assert fake.grad is None
    torch.testing.assert_close(wasserstein_generator_loss(real, critic=critic), -critic(real).mean())


def test_the_penalty_is_zero_for_a_critic_of_slope_1():
    loss = wasserstein_critic_loss(torch.zeros(3, 1, 4), torch.ones(3, 1, 4), critic=lambda x: x.sum((1, 2)) / 2)
    assert loss.item() == pytest.approx(-2)


def test_what_does_not_fit_is_named():
    generator, image = _linear(), torch.rand(2, 1, 4, 4)
    with pytest.raises(InputError, match="steps"):
        project(generator, image, torch.zeros(1, 3), steps=0, step_size=1.0)
    with pytest.raises(InputError, match="start"):
        project(generator, image, torch.zeros(0, 3), steps=1, step_size=1.0)
    with pytest.raises(InputError, match=r"generator: expected images of shape \(1, 5, 5\)"):
        project(generator, torch.rand(2, 1, 5, 5), torch.zeros(1, 3), steps=1, step_size=1.0)
    with pytest.raises(InputError, match="step_size"):
        project(_Bent(), torch.ones(1, 1, 2), torch.ones(1, 1) * 2, steps=50, step_size=1e3)


def test_another_number_of_fakes_is_refused():
    with pytest.raises(InputError, match="fake: expected the shape of real"):
        wasserstein_critic_loss(torch.zeros(1, 1, 4), torch.ones(2, 1, 4), critic=lambda image: image.mean((1, 2)))
