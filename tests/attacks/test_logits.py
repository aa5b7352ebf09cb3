from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks.logits import (
    check_classes,
    check_gradient,
    check_logits,
    highest_logits,
    output_of,
    picked_logits,
    predicted_as,
)
from monai_advdefense.errors import InputError

IMAGE = torch.rand(2, 1, 3, 4)
LOGITS = torch.rand(2, 5, 3, 4)


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (check_logits, (LOGITS[:1], IMAGE), r"network: expected logits .* \(2, 1, 3, 4\), found \(1, 5, 3, 4\)"),
        (check_logits, (LOGITS[..., :3], IMAGE), r"found \(2, 5, 3, 3\)"),
        (check_logits, (LOGITS.sum(), IMAGE), r"found \(\)"),
        (check_logits, (LOGITS + 0j, IMAGE), r"found \(2, 5, 3, 4\) of torch.complex64"),
        (picked_logits, ([LOGITS], None), "network: expected logits as one tensor, found a list: give logits_of"),
        (picked_logits, (LOGITS, lambda logits: None), "found a NoneType"),
        (output_of, (nn.Conv2d(3, 2, 1), IMAGE), r"network: expected one that takes images of shape \(2, 1, 3, 4\)"),
        (output_of, (nn.Conv3d(1, 2, 1), IMAGE), "network: expected one that takes .* found Given groups=1"),
        (output_of, (nn.BatchNorm3d(1), IMAGE), "network: expected one that takes .* found expected 5D"),
        (output_of, (nn.Conv2d(1, 2, 1), IMAGE.half()), "torch.float16, found Input type"),
        (highest_logits, (LOGITS * torch.nan,), "network: expected finite logits"),
        (check_logits, (LOGITS, IMAGE.clone().requires_grad_()), "found constants: leave out argmax, detach"),
        (check_classes, ("target", torch.tensor([[5]]), LOGITS), "target: expected classes below 5.*, found 5"),
        (check_gradient, ("excess", torch.tensor([1.0, torch.inf])), "excess: expected finite gradients of the image"),
        (check_gradient, ("network", torch.tensor([torch.nan])), "network: .* found NaN or infinity"),
    ],
)
def test_what_cannot_be_used_is_named_on_one_line(check, arguments, message):
    with pytest.raises(InputError, match=message) as raised:
        check(*arguments)
    assert "\n" not in str(raised.value)


def test_what_can_be_used_passes():
    check_logits(LOGITS, IMAGE)
    check_logits(LOGITS * IMAGE.clone().requires_grad_(), IMAGE.clone().requires_grad_())
    check_classes("label", torch.tensor([[4]]), LOGITS)
    check_classes("label", torch.zeros(0, 3, dtype=torch.long), LOGITS)
    check_gradient("network", IMAGE)


def test_a_pixel_is_predicted_as_its_class_where_no_other_logit_is_higher():
    logits = LOGITS.round(decimals=1)  # many ties
    classes = torch.randint(5, (2, 1, 3, 4), generator=torch.Generator().manual_seed(0))
    found = predicted_as(logits, classes)
    assert found.shape == classes.shape
    for sample, _, row, column in torch.ones_like(classes).nonzero().tolist():
        pixel = logits[sample, :, row, column].tolist()
        assert bool(found[sample, 0, row, column]) == (pixel[classes[sample, 0, row, column]] == max(pixel))


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_a_highest_logit_that_is_not_finite_is_named(broken):
    logits = LOGITS.clone()
    logits[1, 2, 0, 0] = broken
    with pytest.raises(InputError, match="network: expected finite logits"):
        predicted_as(logits, torch.zeros(2, 1, 3, 4, dtype=torch.long))


def test_a_logit_of_minus_infinity_is_a_class_that_is_never_predicted():
    logits = LOGITS.clone()
    logits[:, 2] = -torch.inf
    assert not predicted_as(logits, torch.full((2, 1, 3, 4), 2)).any()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no room"), InputError("a: expected b, found c: do d")])
def test_what_is_no_fault_of_the_image_comes_through(error):
    def network(image):
        raise error

    with pytest.raises(type(error), match=f"^{error}$"):
        output_of(network, IMAGE)
