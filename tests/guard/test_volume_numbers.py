import torch

from monai_advdefense.guard.scores.slice_features import slice_features
from monai_advdefense.guard.scores.synthetic_faults import SYNTHETIC_FAULTS
from monai_advdefense.guard.volume_numbers import FAULT_EVERY, NOISE_EVERY, features_of, volume_numbers

from .phantom_screen import phantom


def test_features_of_many_slices_are_those_of_each():
    image = phantom(0)[0][10:20]
    found = features_of(image)
    for place in (0, 9):
        alone = slice_features(image[place : place + 1])
        for name, values in alone.items():
            torch.testing.assert_close(found[name][place : place + 1], values, rtol=1e-4, atol=1e-5)


def test_noise_and_faults_are_those_of_every_nth_slice_and_of_the_generator():
    image = phantom(0)[0]
    covariates = torch.tensor([1.0, 2.0])
    one, same, other = (
        volume_numbers(image, "A", generator=torch.Generator().manual_seed(seed), covariates=covariates)
        for seed in (0, 0, 1)
    )
    slices = len(image)
    assert (one.subject, one.channels) == ("A", 1)
    assert torch.equal(one.covariates, covariates)
    assert set(one.faulty) == set(SYNTHETIC_FAULTS)
    assert len(one.clean.position) == slices
    assert len(one.noisy.position) == -(-slices // NOISE_EVERY)
    assert all(len(fault.position) == -(-slices // FAULT_EVERY) for fault in one.faulty.values())
    assert torch.equal(one.noisy.position, one.clean.position[::NOISE_EVERY])
    for name, values in one.noisy.features.items():
        assert torch.equal(values.nan_to_num(), same.noisy.features[name].nan_to_num())
    assert any((values != other.noisy.features[name]).any() for name, values in one.noisy.features.items())
    assert all(
        torch.equal(values.nan_to_num(), other.clean.features[name].nan_to_num())
        for name, values in one.clean.features.items()
    )
