from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Orientation
from torch import nn

from monai_advdefense.bundle_tools.predict_slices import PredictSlices, kept_slices
from monai_advdefense.errors import InputError
from monai_advdefense.transforms import KeepSlices
from monai_advdefense.transforms.guarded_channels import GuardedChannels


class Bands(nn.Module):
    """Three classes by the image's value, the middle one where it lies around a half."""

    def forward(self, image):
        return torch.cat([-20 * image + 6, image * 0, 20 * image - 14], dim=1)


def _predict(guarded, independent=False):
    parts = {"network": Bands(), "inferer": SimpleInferer(), "guarded": guarded}
    return PredictSlices(**parts, independent=independent, smoothing=0.75)


CORONAL = GuardedChannels(1, "RAS", None, (0, 1), None, 8)
FLAT = GuardedChannels(None, None, None, (0, 1), None, 8)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIR"])
def test_areas_are_those_of_the_slices_whatever_the_network_sees(orientation):
    values = torch.rand(1, 12, 5, 10, generator=torch.Generator().manual_seed(0))
    upright = MetaTensor(values, affine=torch.eye(4))
    seen = Orientation(orientation, labels=None)(upright)
    predict = _predict(CORONAL)
    numbers = predict(seen, Bands()(seen[None])[0], KeepSlices(CORONAL)(upright))
    labels = Bands()(values[None])[0].argmax(dim=0)
    expected = torch.stack([(labels == number).sum(dim=(0, 2)) for number in range(3)], dim=1)
    torch.testing.assert_close(numbers.area, expected.float())
    assert (numbers.divergence[:, 1:] > 0).all()


def test_an_image_that_is_one_slice():
    image = torch.rand(1, 12, 10, generator=torch.Generator().manual_seed(0))
    predict = _predict(FLAT)
    area = predict(image, Bands()(image[None])[0], KeepSlices(FLAT)(image)).area
    assert area.shape == (1, 3)
    assert area.sum() == 120


def test_independent_channels_have_a_class_of_their_own_for_the_rest():
    image = torch.rand(1, 12, 10)
    predict = _predict(FLAT, independent=True)
    pred = Bands()(image[None])[0]
    assert predict(image, pred, KeepSlices(FLAT)(image)).area.shape == (1, 4)


def test_the_network_keeps_its_mode():
    predict = _predict(FLAT)
    predict.network.train()
    image = torch.rand(1, 12, 10)
    predict(image, Bands()(image[None])[0], KeepSlices(FLAT)(image))
    assert predict.network.training


def test_a_prediction_on_another_grid_is_refused():
    image = torch.rand(1, 12, 10)
    with pytest.raises(
        InputError, match=r"prediction: expected one on the grid of its image, \(12, 10\), found \(3, 6, 5\)"
    ):
        _predict(FLAT)(image, torch.rand(3, 6, 5), KeepSlices(FLAT)(image))


def test_what_a_transform_has_dropped_is_named():
    with pytest.raises(InputError, match="found no centers_image: let SelectItemsd keep it"):
        kept_slices({"slices_image": torch.rand(2, 1, 4, 4)}, "image")
