import torch

from monai_advdefense.certification import noisy


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_is_gaussian_of_the_asked_width_on_a_grid():
    image = torch.full((1, 1, 400, 400), 0.3)
    noise = noisy(image, sigma=0.25, mask=None, generator=_generator())
    assert torch.equal(noise * 1024, (noise * 1024).round())
    change = (noise - image).double()
    assert abs(change.mean()) < 0.003
    assert abs(change.std() - 0.25) < 0.003
    assert abs((change.abs() < 0.25).double().mean() - 0.6827) < 0.005


def test_the_noise_depends_on_the_image_by_rounding_alone():
    # Two images that differ by a step of the grid see the same noise, shifted by it: nothing else of the image shows.
    image = torch.full((1, 1, 8, 8), 0.5)
    first = noisy(image, sigma=0.25, mask=None, generator=_generator())
    second = noisy(image + 2.0**-10, sigma=0.25, mask=None, generator=_generator())
    assert torch.equal(second - first, torch.full_like(image, 2.0**-10))


def test_outside_of_the_mask_the_image_stays_bit_for_bit():
    image = torch.rand(2, 1, 6, 6)
    mask = torch.zeros(1, 1, 6, 6, dtype=torch.bool)
    mask[..., :3] = True
    result = noisy(image, sigma=0.5, mask=mask, generator=_generator())
    assert torch.equal(result[..., 3:], image[..., 3:])
    assert (result[..., :3] != image[..., :3]).all()
