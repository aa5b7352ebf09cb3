import pytest
import torch
from monai.transforms import ScaleIntensityRange

from monai_advdefense.attacks.input_units import to_input_units


@pytest.fixture
def original():
    """A brain of 1 to 1500 in a background of 0; some voxels lie beyond the range 0 to 1000."""
    image = torch.randint(1, 1500, (12, 12), generator=torch.Generator().manual_seed(0)).double()
    image[:3] = 0
    return image


def _preprocess(image):
    return ScaleIntensityRange(a_min=0.0, a_max=1000.0, b_min=0.0, b_max=1.0, clip=True)(image)


def test_preprocessing_the_result_gives_the_attacked_image(original):
    clean = _preprocess(original).double()
    added = 0.2 * torch.randn(clean.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    added[:3] = 0
    attacked = to_input_units(original, added, 0.0, 1000.0)
    expected = (clean + added).clamp(original[original > 0].min() / 1000, 1) * (original > 0)
    torch.testing.assert_close(_preprocess(attacked).double(), expected, rtol=0, atol=1e-6)


def test_nothing_is_changed_without_a_perturbation(original):
    added = torch.zeros_like(original)
    added[5] = 0.1
    attacked = to_input_units(original, added, 0.0, 1000.0)
    untouched = torch.arange(12) != 5
    assert torch.equal(attacked[untouched], original[untouched])
    assert not torch.equal(attacked[5], original[5])


@pytest.mark.parametrize("size", [-2.0, 2.0])
def test_the_brain_mask_stays_as_it_is(original, size):
    attacked = to_input_units(original, torch.full_like(original, size), 0.0, 1000.0)
    assert torch.equal(attacked > 0, original > 0)


def test_a_range_that_does_not_start_at_zero(original):
    attacked = to_input_units(original, torch.full_like(original, 0.5), 200.0, 1000.0)
    inside = (original > 200) & (original < 600)
    torch.testing.assert_close(attacked[inside], original[inside] + 400)


def test_a_blank_image_stays_blank():
    assert not to_input_units(torch.zeros(3, 3), torch.ones(3, 3), 0.0, 1.0).any()


def test_a_negative_value_beside_the_brain_does_not_make_the_background_brain():
    """Interpolation rings at the edge; the lowest percentile is that value then."""
    original = torch.tensor([0.0, 0.0, -1.0, 5.0, 100.0])
    attacked = to_input_units(original, torch.tensor([0.2, 0.0, 0.1, -0.3, -0.1]), -1.0, 100.0)
    assert torch.equal(attacked[:3], original[:3])
    assert (attacked[3:] > 0).all()


def test_another_background():
    original = torch.tensor([-1000.0, -900.0, 0.0, 1000.0])
    attacked = to_input_units(original, torch.full((4,), -0.25), -1000.0, 1000.0, background=-1000.0)
    torch.testing.assert_close(attacked, torch.tensor([-1000.0, -900.0, -500.0, 500.0]))
