import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.losses import ThroughSegmenterLoss


@pytest.fixture
def segmenter():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)).train()


@pytest.fixture
def case():
    torch.manual_seed(1)
    clean, label = torch.rand(2, 1, 8, 8), torch.randint(3, (2, 1, 8, 8)).float()
    return torch.rand(2, 1, 8, 8, requires_grad=True), torch.cat([clean, label], 1)


def test_is_the_segmentation_loss_of_the_reformed_image_and_its_squared_error(segmenter, case):
    reformed, target = case
    loss = ThroughSegmenterLoss(segmenter, reconstruction_weight=2.5)(reformed, target)
    segmentation = DiceCELoss(softmax=True, to_onehot_y=True)(segmenter(reformed), target[:, 1:])
    assert torch.allclose(loss, segmentation + 2.5 * ((reformed - target[:, :1]) ** 2).mean())


def test_the_gradient_reaches_the_reformed_image_and_no_weight(segmenter, case):
    reformed, target = case
    statistics = segmenter[1].running_mean.clone()
    ThroughSegmenterLoss(segmenter)(reformed, target).backward()
    assert reformed.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in segmenter.parameters())
    assert torch.equal(segmenter[1].running_mean, statistics)


def test_labels_without_clean_images_are_refused(segmenter, case):
    with pytest.raises(InputError, match="target: expected clean images and labels"):
        ThroughSegmenterLoss(segmenter)(case[0], case[1][:, 1:])


def test_labels_that_are_no_classes_are_refused(segmenter, case):
    with pytest.raises(InputError, match="whole numbers"):
        ThroughSegmenterLoss(segmenter)(case[0], case[1] + 0.5)
