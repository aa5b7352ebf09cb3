import math

import pytest
import torch
from monai.transforms import ScaleIntensityRangePercentiles

from monai_advdefense.data.checks import check_intensity_range
from monai_advdefense.errors import InputError


@pytest.mark.parametrize(("low", "high"), [(-0.1, 1.0), (0.0, 1.1), (0.0, math.inf), (math.nan, 1.0)])
def test_what_is_not_from_0_to_1_is_refused_with_the_name_of_the_file(low, high):
    image = torch.linspace(0, 1, 64).reshape(1, 4, 4, 4)
    check_intensity_range(image)
    image[0, 0, 0, 0], image[0, 3, 3, 3] = low, high
    with pytest.raises(InputError, match="a.nii: expected intensities from 0 to 1 after preprocessing, found .* to "):
        check_intensity_range(image, path="a.nii")


@pytest.mark.filterwarnings("ignore:Divide by zero")
def test_a_volume_that_the_scaling_leaves_as_it_is_is_refused():
    image = torch.zeros(1, 10, 10, 10)
    image[0, 0, 0, 0] = image[0, 9, 9, 9] = 120
    scaled = ScaleIntensityRangePercentiles(0, 99.5, 0, 1, clip=True)(image)
    with pytest.raises(InputError, match="found 0 to 120"):
        check_intensity_range(scaled)
