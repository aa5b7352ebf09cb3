from __future__ import annotations

import pytest
import torch
from torch import nn

from monai_advdefense.attacks.erase_structure import erase_structure
from monai_advdefense.errors import InputError


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))


def images(seed=1):
    return torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


class NearestIntensity(nn.Module):
    """Predict each pixel by the nearest of three intensities."""

    def forward(self, image):
        centers = torch.tensor([0.2, 0.5, 0.8]).view(1, 3, 1, 1)
        return 10 * (centers * image - centers**2 / 2)


def test_the_structure_is_lost_where_the_radius_allows_and_others_stay():
    """The 16 pixels of class 1 lie .15 from the next class: .6 in all."""
    image = torch.full((2, 1, 8, 8), 0.2)
    image[..., 2:6, 2:6], image[..., 6:, :] = 0.5, 0.8
    label = NearestIntensity()(image).argmax(1)
    found = erase_structure(NearestIntensity(), image, label, structure=1, radius=torch.tensor([0.65, 0.3]))
    after = NearestIntensity()(found.image).argmax(1)
    assert found.success.tolist() == [True, False]
    assert (after[0, 2:6, 2:6] != 1).all()
    assert torch.equal(after[label != 1], label[label != 1])
    own = label == 1
    torch.testing.assert_close(found.flipped, (own & (after != 1)).flatten(1).sum(1) / own.flatten(1).sum(1))
    assert (found.norm <= torch.tensor([0.65, 0.3])).all()


def test_a_larger_ball_loses_no_less_and_a_radius_of_0_is_the_identity():
    net, image = network(), images()
    label = net(image).argmax(1)
    lost = [erase_structure(net, image, label, structure=int(label[0, 0, 0]), radius=r).flipped for r in (0, 0.3, 3.0)]
    assert (lost[0] == 0).all()
    assert (lost[1] <= lost[2]).all()
    assert torch.equal(erase_structure(net, image, label, structure=1, radius=0.0).image, image)


def test_a_sample_without_the_structure_stays_and_the_mask_holds():
    net, image = network(), images()
    label = torch.zeros(3, 12, 12, dtype=torch.long)
    label[1:, 4:8, 4:8] = 2
    mask = torch.zeros(1, 1, 12, 12)
    mask[..., :6] = 1
    found = erase_structure(net, image, label, structure=2, radius=1.0, mask=mask)
    assert torch.equal(found.image[0], image[0])
    assert not found.success[0]
    assert torch.equal(found.image[..., 6:], image[..., 6:])


def test_a_sample_does_not_depend_on_the_others():
    net, image = network(), images()
    label = net(image).argmax(1)
    together = erase_structure(net, image, label, structure=1, radius=0.5, steps=5)
    alone = erase_structure(net, image[1:2], label[1:2], structure=1, radius=0.5, steps=5)
    torch.testing.assert_close(together.image[1:2], alone.image, atol=1e-5, rtol=0)


@pytest.mark.parametrize("structure", [-1, 1.0, torch.tensor([1, 2])])
def test_a_structure_that_is_no_class_is_an_error(structure):
    image = images()
    label = torch.zeros(3, 12, 12, dtype=torch.long)
    with pytest.raises(InputError, match="structure: expected one class"):
        erase_structure(network(), image, label, structure=structure, radius=1.0)


def test_no_steps_are_an_error():
    with pytest.raises(InputError, match="steps: expected at least 1"):
        erase_structure(network(), images(), torch.zeros(3, 12, 12, dtype=torch.long), structure=1, radius=1.0, steps=0)
