from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_advdefense.attacks.arguments import (
    check_at_least,
    check_bounds,
    check_choice,
    check_image,
    check_label,
    check_mask,
    check_positive,
    check_start,
    check_tensor,
    per_sample,
)
from monai_advdefense.errors import InputError

IMAGE = torch.rand(2, 1, 3, 4)
LABEL = torch.ones(2, 3, 4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("check", "arguments", "found"),
    [
        (check_choice, ("norm", "l3", ("l2", "linf")), "l2, linf, found 'l3'"),
        (check_at_least, ("steps", 2.5, 1), "steps: expected a whole number, found 2.5"),
        (check_positive, ("highest", 0.0), "highest: expected a finite number above 0, found 0.0"),
        (check_positive, ("highest", torch.inf), "found inf"),
        (check_positive, ("highest", "0.1"), "found '0.1'"),
        (check_tensor, ("label", np.ones(3)), "label: expected a tensor, found a ndarray: give one"),
        (check_image, (IMAGE.numpy(),), "image: expected a tensor, found a ndarray"),
        (check_image, (IMAGE[:, :, :0],), r"image: expected channels and pixels, found shape \(2, 1, 0, 4\)"),
        (check_label, ("label", None), "label: expected a tensor, found a NoneType"),
        (check_image, (torch.ones(2, 1, 3, 4, dtype=torch.uint8),), "uint8"),
        (check_image, (torch.rand(3, 4),), r"\(3, 4\)"),
        (check_image, (IMAGE.log() / 0,), "NaN or infinity"),
        (check_label, ("label", LABEL.float()), "float32"),
        (check_label, ("label", LABEL.bool()), "bool"),
        (check_label, ("target", LABEL - 2), "target: expected class indices >= 0, found -1"),
        (check_label, ("label", LABEL[:, None], (2, 3, 4)), r"found \(2, 1, 3, 4\)"),
        (check_mask, (torch.ones(2, 3, 4), IMAGE), r"found \(2, 3, 4\)"),
        (check_mask, (torch.ones(3, 1, 3, 4), IMAGE), r"found \(3, 1, 3, 4\)"),
        (check_mask, (torch.ones(1, 2, 3, 4), IMAGE.expand(2, 3, 3, 4)), r"\(1, 1, 3, 4\), or with 3 channels, found"),
        (check_mask, (np.ones((2, 1, 3, 4)), IMAGE), "mask: expected a tensor, found a ndarray"),
        (check_mask, (IMAGE * torch.nan, IMAGE), "mask: expected true or false for each pixel, found NaN"),
        (check_bounds, ((0.0, torch.nan), IMAGE), r"found \(0.0, nan\)"),
        (check_bounds, ((0.0, 1.0, 2.0), IMAGE), r"bounds: expected \(low, high\) .* found \(0.0, 1.0, 2.0\)"),
        (check_bounds, (1.0, IMAGE), "found 1.0"),
        (check_bounds, (("0", "1"), IMAGE), "bounds: expected"),
        (per_sample, ("radius", "0.1", IMAGE), "radius: expected numbers, found '0.1'"),
        (per_sample, ("radius", None, IMAGE), "radius: expected numbers, found None"),
        (check_bounds, ((1.0, 0.0), IMAGE), r"found \(1.0, 0.0\)"),
        (check_bounds, ((0.0, 1.0), IMAGE - 0.5), "found \\[-0"),
        (check_bounds, ((0.0, 1.0), IMAGE + 1), "set `bounds`"),
        (check_start, (IMAGE[:1], IMAGE), r"shape \(2, 1, 3, 4\), found \(1, 1, 3, 4\): give AttackResult.parameters"),
    ],
)
def test_failure_is_one_line_that_names_what_was_found(check, arguments, found):
    with pytest.raises(InputError, match=found) as raised:
        check(*arguments)
    assert "\n" not in str(raised.value)


def test_fitting_arguments_pass():
    check_choice("norm", "l2", ("l2", "linf"))
    check_at_least("steps", np.int64(1), 1)
    check_positive("step_size", 0, zero=True)
    check_image(IMAGE)
    check_image(IMAGE[:0])
    check_label("label", LABEL.to(torch.uint8), (2, 3, 4))
    check_mask(None, IMAGE)
    check_mask(torch.ones(1, 1, 3, 4), IMAGE)
    check_mask(torch.ones(2, 1, 3, 4, dtype=torch.bool), IMAGE)
    check_mask(torch.ones(1, 3, 3, 4), IMAGE.expand(2, 3, 3, 4))
    check_bounds(None, IMAGE - 5)
    check_bounds((0.0, 1.0), IMAGE)
    check_bounds([0, torch.inf], IMAGE)
    check_start(None, IMAGE)
    check_start(IMAGE + 1, IMAGE)
