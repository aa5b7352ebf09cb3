import torch
from monai.transforms import RandGaussianNoise, ScaleIntensity

from monai_advdefense.corruptions.each_sample import each_sample


def test_each_sample_is_changed_by_itself_and_keeps_the_type():
    image = torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    found = each_sample(ScaleIntensity(), image)
    assert type(found) is torch.Tensor
    assert found.dtype == torch.float64
    flat = image.flatten(1)
    low, high = flat.amin(1).view(3, 1, 1, 1), flat.amax(1).view(3, 1, 1, 1)
    torch.testing.assert_close(found, ((image - low) / (high - low)), rtol=1e-5, atol=1e-6)


def test_a_random_transform_draws_the_same_for_every_sample():
    found = each_sample(RandGaussianNoise(prob=1.0), torch.zeros(2, 1, 4, 4))
    assert torch.equal(found[0], found[1])
    assert found[0].any()
