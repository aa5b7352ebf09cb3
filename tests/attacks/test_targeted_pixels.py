from __future__ import annotations

import pytest
import torch

from monai_advdefense.attacks.targeted_pixels import flipped_pixels
from monai_advdefense.errors import InputError

LOGITS = torch.tensor([[[2.0, 0, 1, 3], [1, 0, 1, -1], [0, 1, 0, 1]]])  # (1, 3, 4)


@pytest.mark.parametrize(
    ("targets", "count"), [([0, 2, 0, 0], 0), ([0, 2, 1, 0], 0), ([1, 1, 2, 2], 4), ([1, -100, -100, 2], 2)]
)
def test_a_tie_counts_as_predicted_and_pixels_that_are_not_targeted_do_not_count(targets, count):
    assert flipped_pixels(LOGITS, torch.tensor([targets])).tolist() == [count]


def test_images_are_counted_one_by_one():
    targets = torch.tensor([[1, 1, 2, 2], [0, 2, 1, 0]])
    assert flipped_pixels(LOGITS.expand(2, -1, -1), targets).tolist() == [4, 0]


def test_logits_that_are_not_finite_are_named():
    with pytest.raises(InputError, match="network: expected finite logits"):
        flipped_pixels(LOGITS * torch.nan, torch.zeros(1, 4, dtype=torch.long))
