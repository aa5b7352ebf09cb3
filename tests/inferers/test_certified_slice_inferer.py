import pytest
import torch
from torch import nn

from monai_advdefense.certification import certify
from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.inferers import CertifiedSliceInferer

SETTINGS = {"sigma": 0.25, "n": 40, "abstained": 3, "spatial_dim": 1}


@pytest.fixture
def guard():
    torch.manual_seed(0)
    return DefendedSegmenter(
        ReconstructionDetector(nn.Identity()), Reformer(nn.Conv2d(1, 1, 3, padding=1)), nn.Conv2d(1, 3, 3, padding=1)
    ).eval()


@pytest.fixture
def volume():
    """Four slices along the second axis; the first is blank, and half of each other one."""
    volume = torch.rand(1, 1, 8, 4, 8, generator=torch.Generator().manual_seed(1))
    volume[..., 0, :] = 0
    volume[..., :4] = 0
    return volume


def test_each_slice_is_certified_with_noise_of_its_own(guard, volume):
    label, radius = CertifiedSliceInferer(**SETTINGS, seed=5)(volume, guard)[0]
    chain = nn.Sequential(guard.reformer, guard.segmenter)
    for index in (1, 2, 3):
        image = volume[:, :, :, index]
        alone = certify(
            chain, image, sigma=0.25, n=40, mask=image > 0, generator=torch.Generator().manual_seed(5 + index)
        )
        inside = image[0, 0] > 0
        torch.testing.assert_close(radius[:, index][inside], alone.radius[0][inside])
        certain = inside & (alone.radius[0] > 0)
        assert torch.equal(label[:, index][certain], alone.label[0][certain].float())
        assert (label[:, index][inside & (alone.radius[0] == 0)] == 3).all()


def test_blank_slices_and_the_outside_are_background_without_a_claim(guard, volume):
    label, radius = CertifiedSliceInferer(**SETTINGS)(volume, guard)[0]
    outside = volume[0, 0] == 0
    assert (label[outside] == 0).all()
    assert (radius[outside] == 0).all()


def test_another_network_is_refused(volume):
    with pytest.raises(InputError, match="network: expected a DefendedSegmenter"):
        CertifiedSliceInferer(**SETTINGS)(volume, nn.Identity())
