import itertools

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, CropForeground, Orientation, ScaleIntensityRangePercentiles, SpatialPad

from monai_advdefense.data.phantom import brain_phantom
from monai_advdefense.errors import InputError
from monai_advdefense.guard.cut_slices import cut_slices, join_slices, reorient, reorient_back

SIZE = (40, 44)


@pytest.fixture(scope="module")
def brain():
    image, _ = brain_phantom((36, 30, 34), seed=0)
    return torch.from_numpy(np.pad(image, ((9, 2), (3, 1), (0, 7)))).float()


@pytest.mark.parametrize("slice_dim", [0, 1, 2])
def test_slices_are_those_of_the_preprocessing_of_the_bundles(brain, slice_dim):
    size = [*SIZE[:slice_dim], -1, *SIZE[slice_dim:]]
    bundles = Compose(
        [CropForeground(allow_smaller=True), ScaleIntensityRangePercentiles(0, 99.5, 0, 1, clip=True), SpatialPad(size)]
    )
    expected = bundles(brain[None]).as_tensor()[0].movedim(slice_dim, 0)
    cut = cut_slices(brain, slice_dim, slice_size=SIZE)
    filled = cut.image.flatten(1).any(1)
    assert 0 < filled.sum() < brain.shape[slice_dim]
    torch.testing.assert_close(cut.image[filled, 0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("slice_dim", [0, 1, 2, None])
def test_joined_slices_are_the_clipped_channel(brain, slice_dim):
    size = None if slice_dim is None else SIZE
    top = np.percentile(brain[brain > 0], 80)
    cut = cut_slices(brain, slice_dim, value_range=(100.0, top), slice_size=size)
    torch.testing.assert_close(join_slices(cut, cut.image), brain.clamp(100, top), rtol=1e-5, atol=1e-3)


def test_a_change_comes_back_to_the_voxel_that_it_was_made_for_and_background_stays(brain):
    cut = cut_slices(brain, 1, slice_size=SIZE)
    joined = join_slices(cut, 1 - cut.image)
    expected = torch.where(brain > 0, cut.high - brain.clamp(max=cut.high), 0)
    torch.testing.assert_close(joined, expected, rtol=1e-5, atol=1e-2)


def test_what_lies_below_the_background_becomes_background():
    channel = torch.tensor([[-5.0, 2.0], [0.0, 4.0]])
    cut = cut_slices(channel, None, slice_size=(2, 2))
    assert join_slices(cut, cut.image)[0, 0] == 0
    cut = cut_slices(channel, None, value_range=(-4, 4))
    assert join_slices(cut, cut.image).tolist() == [[-4, 2], [0, 4]]


def test_a_volume_without_foreground_stays():
    empty = torch.zeros(4, 5, 6)
    cut = cut_slices(empty, 0, slice_size=(8, 8))
    assert cut.image.shape == (4, 1, 8, 8)
    assert torch.equal(join_slices(cut, cut.image), empty)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"slice_dim": 3}, "slice_dim"),
        ({"slice_dim": -1}, "slice_dim"),
        ({"value_range": (1, 1)}, "value_range"),
        ({"value_range": (0,)}, "value_range"),
        ({"slice_size": (40, 20)}, r"slice_size.+found \(40, 20\)"),
        ({"slice_size": (40,)}, "slice_size"),
    ],
)
def test_bad_arguments(brain, arguments, named):
    with pytest.raises(InputError, match=named):
        cut_slices(brain, arguments.pop("slice_dim", 1), **arguments)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(brain, value):
    broken = brain.clone()
    broken[0, 0, 0] = value
    with pytest.raises(InputError, match="finite"):
        cut_slices(broken, 1, slice_size=SIZE)


def test_a_foreground_of_one_value_needs_a_range():
    with pytest.raises(InputError, match="value_range"):
        cut_slices(torch.ones(4, 4), None)
    assert torch.equal(cut_slices(torch.ones(4, 4), None, value_range=(0, 2)).image, torch.full((1, 1, 4, 4), 0.5))


@pytest.mark.parametrize("stored", ["LPS", "RAS", "PIR", "SAL", "ILA"])
def test_orientation_is_that_of_monai_and_can_be_undone(stored):
    image = MetaTensor(torch.rand(2, 3, 4, 5), affine=torch.diag(torch.tensor([2.0, 1.0, 3.0, 1.0])))
    turned = Orientation(axcodes=stored, labels=None)(image)
    assert torch.equal(reorient(turned.as_tensor(), turned.affine, "RAS"), image.as_tensor())
    assert torch.equal(reorient_back(image.as_tensor(), turned.affine, "RAS"), turned.as_tensor())


def test_all_orientations_can_be_undone():
    image = torch.rand(1, 3, 4, 5)
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product([1.0, -1.0], repeat=3)):
        affine = torch.eye(4)
        affine[:3, :3] = torch.diag(torch.tensor(signs))[list(order)]
        for axcodes in ("RAS", "LPI"):
            assert torch.equal(reorient_back(reorient(image, affine, axcodes), affine, axcodes), image)


@pytest.mark.parametrize(
    ("shape", "axcodes"), [((1, 4, 4), "RAS"), ((1, 4, 4, 4), "RAR"), ((1, 4, 4, 4), "XYZ"), ((1, 4, 4, 4), "RA")]
)
def test_no_orientation(shape, axcodes):
    with pytest.raises(InputError, match="axcodes"):
        reorient(torch.zeros(shape), torch.eye(4), axcodes)


@pytest.mark.parametrize("value_range", [(100.0, 200.0), (1.5, 200.0)])
def test_a_range_above_the_whole_image_is_refused_and_not_taken_for_empty_slices(value_range):
    image = torch.linspace(0, 0.75, 4 * 8 * 8).reshape(4, 8, 8)
    with pytest.raises(InputError, match=r"value_range.+above .+found 0 to 0\.75"):
        cut_slices(image, 0, value_range=value_range)
    assert not cut_slices(torch.zeros(4, 8, 8), 0, value_range=value_range).image.any()


@pytest.mark.parametrize("slice_size", [None, (8, 8)])
def test_an_image_that_lies_below_0_needs_a_range_and_is_not_taken_for_empty_slices(slice_size):
    image = torch.linspace(-1000, -1, 4 * 8 * 8).reshape(4, 8, 8)
    with pytest.raises(InputError, match=r"value_range: expected values above 0 .+, found -1000 to -1:"):
        cut_slices(image, 0, slice_size=slice_size)
    assert cut_slices(image, 0, value_range=(-1000, 0), slice_size=slice_size).image.any()


@pytest.mark.parametrize("value_range", [(0.0, float("inf")), (-float("inf"), 1.0), (float("nan"), 1.0)])
def test_a_range_without_end_is_refused(value_range):
    with pytest.raises(InputError, match="finite"):
        cut_slices(torch.rand(4, 8, 8), 0, value_range=value_range)


def test_other_slices_than_were_cut_cannot_be_joined(brain):
    cut = cut_slices(brain, 1, slice_size=SIZE)
    with pytest.raises(InputError, match="expected the shape that was cut"):
        join_slices(cut, cut.image[:1])


@pytest.mark.parametrize("spoilt", [float("nan"), 0.0])
def test_an_affine_without_inverse_is_named(spoilt):
    affine = torch.eye(4)
    affine[1, 1] = spoilt
    with pytest.raises(InputError, match="affine"):
        reorient(torch.zeros(1, 4, 4, 4), affine, "RAS")
