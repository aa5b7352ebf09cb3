import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from monai_advdefense.engines import AttackedReformerBatch
from monai_advdefense.errors import InputError


@pytest.fixture
def networks():
    torch.manual_seed(0)
    reformer = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)).train()
    return reformer, nn.Conv2d(1, 3, 3, padding=1)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    image = torch.rand(6, 1, 8, 8)
    image[..., :2] = 0.0
    return {"image": image, "label": torch.cat([image, torch.randint(3, (6, 1, 8, 8)).float()], 1)}


def test_images_are_moved_by_the_norms_inside_the_object_alone(networks, batch):
    image, target = AttackedReformerBatch(*networks, norms=[0.5, 2.0])(batch)
    change = image - batch["image"]
    assert (change[..., :2] == 0).all()
    norms = change.flatten(1).norm(dim=1)
    assert all(any(abs(norm - asked) < 1e-2 for asked in (0.5, 2.0)) for norm in norms.tolist())
    assert torch.equal(target, batch["label"])


def test_the_segmentation_behind_the_reformer_gets_worse(networks, batch):
    reformer, segmenter = networks
    attacked, target = AttackedReformerBatch(*networks, norms=[3.0], steps=3)(batch)
    reformer.eval()
    before, after = (
        cross_entropy(segmenter(reformer(image)), target[:, 1].long()) for image in (batch["image"], attacked)
    )
    assert after > before * 1.05


def test_the_reformer_keeps_weights_statistics_and_mode(networks, batch):
    before = copy.deepcopy(networks[0].state_dict())
    AttackedReformerBatch(*networks, norms=[1.0])(batch)
    assert networks[0].training
    assert all(torch.equal(value, before[key]) for key, value in networks[0].state_dict().items())
    assert all(parameter.grad is None for parameter in networks[0].parameters())


@pytest.mark.parametrize("norms", [[], [-1.0], [float("nan")]])
def test_norms_that_are_none_are_refused(networks, norms):
    with pytest.raises(InputError, match="norms"):
        AttackedReformerBatch(*networks, norms=norms)


def test_labels_without_clean_images_are_refused(networks, batch):
    with pytest.raises(InputError, match="batchdata: label"):
        AttackedReformerBatch(*networks, norms=[1.0])({"image": batch["image"], "label": batch["label"][:, 1:]})
