from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch import nn

from monai_advdefense.attacks import composed_attack, smallest_budget, square
from monai_advdefense.attacks.balls import l2, linf
from monai_advdefense.attacks.objectives import structure_margin
from monai_advdefense.attacks.steps import apgd, sign
from monai_advdefense.errors import InputError

ATTACKS = {
    norm: partial(composed_attack, objective=structure_margin, ball=ball, step=partial(apgd, norm=norm), n_steps=60)
    for norm, ball in (("l2", l2), ("linf", linf))
}


def case(kernel, side=5):
    """Two classes by one convolution: the predicted classes, and weights and margins of the linear system."""
    torch.manual_seed(kernel)
    network = nn.Conv2d(1, 2, kernel, padding=kernel // 2).double().requires_grad_(False)
    image = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    label = network(image).argmax(1)

    def margin(flat):
        logits = network(flat.view(1, 1, side, side))[0]
        return (logits[0] - logits[1]).flatten()

    slope = torch.autograd.functional.jacobian(margin, image[0].flatten())
    systems = []
    for sample in range(2):
        sign = 1 - 2 * label[sample].flatten().double()
        systems.append((sign[:, None] * slope, sign * margin(image[sample].flatten())))
    return network, image, label, systems


def smallest_l2(rows, margins):
    """Least norm of x with rows x <= -margins: every margin gone."""
    rows, margins = rows.numpy(), margins.numpy()
    start = np.linalg.lstsq(rows, -margins - 1e-3, rcond=None)[0]
    constraint = {"type": "ineq", "fun": lambda x: -margins - rows @ x, "jac": lambda x: -rows}
    found = minimize(lambda x: x @ x, start, jac=lambda x: 2 * x, constraints=constraint, options={"maxiter": 500})
    assert found.success
    return float(np.sqrt(found.fun))


def smallest_linf(rows, margins):
    count = rows.shape[1]
    aim = np.r_[np.zeros(count), 1.0]
    box = np.r_[np.c_[np.eye(count), -np.ones(count)], np.c_[-np.eye(count), -np.ones(count)]]
    left = np.r_[np.c_[rows.numpy(), np.zeros(len(rows))], box]
    right = np.r_[-margins.numpy(), np.zeros(2 * count)]
    found = linprog(aim, A_ub=left, b_ub=right, bounds=[(None, None)] * (count + 1))
    assert found.success
    return float(found.fun)


OPTIMA = {"l2": smallest_l2, "linf": smallest_linf}


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("kernel", [1, 3])
def test_smallest_budget_is_near_the_optimum_of_a_linear_network(norm, kernel):
    """Of one by one pixels, and of pixels that share the image around them."""
    network, image, label, systems = case(kernel)
    found = smallest_budget(
        network,
        image,
        label,
        attack=ATTACKS[norm],
        highest=40.0,
        lost=1.0,
        n_tries=16,
        include_background=True,
        bounds=None,
    )
    assert (network(found.image).argmax(1) != label).all()
    for sample, system in enumerate(systems):
        optimum = OPTIMA[norm](*system)
        assert optimum * (1 - 1e-6) <= float(found.budget[sample]) <= 1.25 * optimum
        change = found.image[sample] - image[sample]
        size = change.abs().max() if norm == "linf" else change.norm()
        assert size <= found.budget[sample]


def test_an_image_that_cannot_be_spoilt_has_an_infinite_budget():
    network = nn.Conv2d(1, 2, 1).double().requires_grad_(False)
    nn.init.zeros_(network.weight)
    image = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    label = network(image).argmax(1)
    found = smallest_budget(network, image, label, attack=ATTACKS["l2"], highest=1.0, include_background=True)
    assert found.budget.isinf().all()
    assert torch.equal(found.image, image)


def test_batch_of_two_equals_two_of_one():
    network, image, label, _ = case(3)
    options = {"attack": ATTACKS["linf"], "highest": 10.0, "include_background": True, "bounds": None, "n_tries": 6}
    together = smallest_budget(network, image, label, **options)
    for sample in range(2):
        alone = smallest_budget(network, image[sample : sample + 1], label[sample : sample + 1], **options)
        torch.testing.assert_close(alone.budget, together.budget[sample : sample + 1])
        torch.testing.assert_close(alone.image, together.image[sample : sample + 1])


def test_what_fails_with_the_highest_budget_fails_beside_others_too():
    """A second try, from where the first one ended with one of two pixels, would succeed."""
    first = torch.tensor([[0.51, 0.51], [0.54, 0.58]])
    image, label = torch.stack([first, 1 - first], 1), torch.zeros(2, 2, dtype=torch.long)
    step = partial(sign, size=torch.tensor(0.05))
    attack = partial(composed_attack, n_steps=1, step=step, include_background=True)
    found = smallest_budget(nn.Identity(), image, label, attack=attack, highest=0.2, n_tries=6)
    assert found.budget.isinf().tolist() == [False, True]
    assert torch.equal(found.image[1], image[1])


@pytest.mark.parametrize(
    "options",
    [
        {"lost": 0.0},
        {"lost": 1.5},
        {"highest": 0.0},
        {"n_tries": 0},
        {"highest": float("nan")},
        {"highest": float("inf")},
    ],
)
def test_what_does_not_fit_is_named(options):
    network, image, label, _ = case(1)
    with pytest.raises(InputError, match=next(iter(options))):
        smallest_budget(network, image, label, **{"attack": square, "highest": 1.0, **options})
