import copy

import pytest
import torch
from torch import nn

from monai_advdefense.engines.reformed_batch import ReformedBatch


@pytest.fixture
def reformer():
    """Behaves differently in training: statistics of the batch, and a running mean that changes."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1)).train()


def test_images_are_what_the_frozen_reformer_gives(reformer):
    batch = {"image": torch.rand(4, 1, 8, 8), "label": torch.randint(3, (4, 1, 8, 8))}
    before = copy.deepcopy(reformer.state_dict())
    image, label = ReformedBatch(reformer)(batch, "cpu")
    assert torch.equal(image, copy.deepcopy(reformer).eval()(batch["image"]))
    assert torch.equal(label, batch["label"])
    assert all(torch.equal(value, before[key]) for key, value in reformer.state_dict().items())
    assert not image.requires_grad


def test_the_reformer_stays_frozen_when_something_puts_it_into_training_mode(reformer):
    batch = {"image": torch.rand(4, 1, 8, 8)}
    prepare = ReformedBatch(reformer)
    first, label = prepare(batch)
    reformer.train()
    assert torch.equal(prepare(batch)[0], first)
    assert label is None
