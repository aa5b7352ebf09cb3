import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from monai_advdefense.attacks import fgsm
from monai_advdefense.engines import AttackedReformerBatch
from monai_advdefense.errors import InputError

ATTACK = partial(fgsm, epsilon=0.1, bounds=None)


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


def test_the_object_alone_is_changed_and_the_target_stays(networks, batch):
    image, target = AttackedReformerBatch(*networks, ATTACK)(batch)
    change = image - batch["image"]
    assert (change[..., :2] == 0).all()
    assert 0 < change.abs().max() <= 0.1 + 1e-6
    assert torch.equal(target, batch["label"])


def test_the_segmentation_behind_the_reformer_gets_worse(networks, batch):
    reformer, segmenter = networks
    attacked, target = AttackedReformerBatch(*networks, ATTACK)(batch)
    reformer.eval()
    before, after = (
        cross_entropy(segmenter(reformer(image)), target[:, 1].long()) for image in (batch["image"], attacked)
    )
    assert after > before * 1.01


def test_the_reformer_keeps_weights_statistics_and_mode(networks, batch):
    before = copy.deepcopy(networks[0].state_dict())
    AttackedReformerBatch(*networks, ATTACK)(batch)
    assert networks[0].training
    assert all(torch.equal(value, before[key]) for key, value in networks[0].state_dict().items())
    assert all(parameter.grad is None for parameter in networks[0].parameters())


def test_labels_without_clean_images_are_refused(networks, batch):
    with pytest.raises(InputError, match="batchdata: label"):
        AttackedReformerBatch(*networks, ATTACK)({"image": batch["image"], "label": batch["label"][:, 1:]})
