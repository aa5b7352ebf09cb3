import pytest
import torch
from torch import nn

from monai_advdefense.errors import InputError
from monai_advdefense.inferers.attack_inferer import AttackInferer
from monai_advdefense.transforms import DAGAttack


@pytest.fixture
def attack():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 3, 3, padding=1)
    return DAGAttack(network, "background", step_size=0.05, steps=3, brain_only=True, slice_dim=1)


@pytest.fixture
def volume():
    """Ten slices along the second axis, the first and the last two of them blank."""
    volume = torch.rand(1, 8, 10, 8, generator=torch.Generator().manual_seed(1))
    volume[:, :, [0, 8, 9]] = 0
    return volume


def test_the_perturbation_is_that_of_the_attack(attack, volume):
    (added,) = AttackInferer(attack)(volume.unsqueeze(0))
    torch.testing.assert_close(volume + added, attack(volume), rtol=0, atol=1e-7)
    assert added.any()


def test_evenly_spaced_slices_are_attacked_as_they_are_when_all_are(attack, volume):
    (everywhere,) = AttackInferer(attack)(volume.unsqueeze(0))
    (added,) = AttackInferer(attack, slices=3)(volume.unsqueeze(0))
    attacked = added.movedim(2, 0).flatten(1).any(1).nonzero().flatten().tolist()
    assert attacked == [1, 4, 7]
    torch.testing.assert_close(added[:, :, attacked], everywhere[:, :, attacked])


def test_volumes_are_attacked_one_by_one(attack, volume):
    batch = torch.stack([volume, volume.flip(2)])
    added = AttackInferer(attack, slices=2)(batch)
    for one, single in zip(added, batch, strict=True):
        assert torch.equal(one, AttackInferer(attack, slices=2)(single.unsqueeze(0))[0])


def test_more_slices_than_there_are_is_an_error(attack, volume):
    with pytest.raises(InputError, match="at most 7"):
        AttackInferer(attack, slices=8)(volume.unsqueeze(0))


@pytest.mark.parametrize("slices", [0, -1, 2.5, "many"])
def test_a_number_of_slices_that_is_none_is_refused(attack, slices):
    with pytest.raises(InputError, match="^slices: expected a whole number from 1 on, or null for all, found"):
        AttackInferer(attack, slices=slices)
