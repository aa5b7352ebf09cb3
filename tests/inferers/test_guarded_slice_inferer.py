import pytest
import torch
from monai.data import MetaTensor, decollate_batch
from monai.inferers import SliceInferer
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard import DefendedSegmenter
from monai_advdefense.inferers import GuardedSliceInferer
from tests.guard.test_optimize_for_inference import SIDE, guard  # noqa: F401

SLICES = 5


def volume() -> Tensor:
    torch.manual_seed(3)
    volume = torch.zeros(1, 1, SIDE, SLICES, SIDE)
    volume[:, :, 20:70, : SLICES - 1, 30:80] = torch.rand(1, 1, 50, SLICES - 1, 50)
    return volume


@torch.no_grad()
@pytest.mark.parametrize("accelerate", [True, False])
@pytest.mark.parametrize("sw_batch_size", [1, 2, 16])
def test_labels_are_those_of_the_stitched_logits(
    guard: DefendedSegmenter,  # noqa: F811
    sw_batch_size: int,
    accelerate: bool,
) -> None:
    image = volume()
    scores = guard.score(image[0].movedim(2, 0))
    guard.decision.threshold.copy_(scores[:-1].sort().values[2] + 1e-3)
    arguments = {"roi_size": (SIDE, SIDE), "sw_batch_size": sw_batch_size, "spatial_dim": 1}
    expected = SliceInferer(**arguments)(image, guard).argmax(1, keepdim=True)
    found = GuardedSliceInferer(**arguments, accelerate=accelerate)(image, guard)
    assert found.dtype == torch.uint8
    assert set(found.unique().tolist()) >= {0, 3}
    assert torch.equal(found.long()[:, :, 20:70, :, 30:80], expected[:, :, 20:70, :, 30:80])
    # Around the object the window leaves the label of a blank slice, see WindowedUNet.
    assert accelerate or torch.equal(found.long(), expected)


@pytest.mark.parametrize("spatial_dim", [0, 1, 2])
def test_slices_are_counted_along_any_axis(spatial_dim: int) -> None:
    image = torch.rand(2, 1, 6, 6, 6)
    network = nn.Conv2d(1, 4, 3, padding=1)
    arguments = {"roi_size": (6, 6), "sw_batch_size": 4, "spatial_dim": spatial_dim}
    expected = SliceInferer(**arguments)(image, network).argmax(1, keepdim=True)
    assert torch.equal(GuardedSliceInferer(**arguments)(image, network).long(), expected)


@pytest.mark.parametrize("size", [(8, 8), (4, 5)])
def test_slices_of_another_size_are_padded_or_passed_in_windows(size: tuple[int, int]) -> None:
    image = torch.rand(1, 1, 6, 3, 6)
    network = nn.Conv2d(1, 4, 3, padding=1)
    arguments = {"roi_size": size, "sw_batch_size": 4, "spatial_dim": 1}
    expected = SliceInferer(**arguments)(image, network).argmax(1, keepdim=True)
    assert torch.equal(GuardedSliceInferer(**arguments)(image, network).long(), expected)


def test_meta_data_travel_and_batches_can_be_taken_apart() -> None:
    affine = torch.diag(torch.tensor([2.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.rand(1, 1, 6, 3, 6), affine=affine)
    inferer = GuardedSliceInferer(roi_size=(6, 6), spatial_dim=1)
    found = inferer(image, nn.Conv2d(1, 4, 3, padding=1))
    assert isinstance(found, MetaTensor)
    assert torch.equal(found.affine, affine)
    assert found.dtype == torch.uint8
    assert [tuple(item.shape) for item in decollate_batch(found)] == [(1, 6, 3, 6)]


def test_many_classes_do_not_overflow() -> None:
    def network(image: Tensor) -> Tensor:
        return torch.eye(300)[-1].reshape(1, 300, 1, 1).repeat(len(image), 1, *image.shape[2:])

    found = GuardedSliceInferer(roi_size=(2, 2), spatial_dim=1)(torch.rand(1, 1, 2, 3, 2), network)
    assert found.unique().tolist() == [299]


def test_what_gives_no_logits_is_refused() -> None:
    with pytest.raises(InputError, match="expected logits"):
        GuardedSliceInferer(roi_size=(2, 2), spatial_dim=1)(torch.rand(1, 1, 2, 3, 2), lambda image: (image,))
