import pytest
import torch
from monai.networks.nets import BasicUNet
from torch import nn

from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.guard.optimize_for_inference import optimize_for_inference
from monai_advdefense.guard.predict_slices import predict_slices
from monai_advdefense.guard.prediction_typicality import prediction_numbers
from monai_advdefense.networks import WindowedUNet
from tests.networks.test_fold_batch_norm import trained

SIDE = 96
POSITION, LOG_AREA = torch.tensor([0.2, 0.4, 0.9]), torch.tensor([5.0, 6.0, 7.0])


def unet(classes: int) -> nn.Module:
    return BasicUNet(spatial_dims=2, out_channels=classes, features=(4, 4, 8, 8, 16, 4), norm="batch")


@pytest.fixture
def guard() -> DefendedSegmenter:
    torch.manual_seed(0)
    guard = DefendedSegmenter(ReconstructionDetector(unet(1)), Reformer(nn.AvgPool2d(3, 1, 1)), unet(5))
    trained(guard)
    # Without biases nothing is made of nothing, and a small one makes class 0 the largest there.
    with torch.no_grad():
        for name, values in guard.named_parameters():
            if name.endswith("bias"):
                values.zero_()
        for name, values in guard.named_buffers():
            if name.endswith("running_mean"):
                values.zero_()
        guard.segmenter.final_conv.bias[0] = 1e-4
    return guard


@pytest.fixture
def image() -> torch.Tensor:
    image = torch.zeros(3, 1, SIDE, SIDE)
    image[:2, :, 30:60, 25:70] = torch.rand(2, 1, 30, 45)
    image[2, :, 20:50, 41:75] = torch.rand(1, 30, 34)
    return image


@torch.no_grad()
def test_labels_and_numbers_made_in_a_window_are_those_of_whole_logits(guard, image) -> None:
    fast = optimize_for_inference(guard, image)
    assert isinstance(fast.segmenter, WindowedUNet)
    assert fast.segmenter.backgrounds_are_class_0
    labels, found = predict_slices(fast, image, POSITION, LOG_AREA)
    logits = fast.segmenter(fast.reformer(image))
    assert torch.equal(labels, logits.argmax(dim=1))
    assert len(labels.unique()) > 2
    expected = prediction_numbers(fast.segmenter(image), logits, image, POSITION, LOG_AREA)
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, atol=1e-6, rtol=1e-6, msg=name)


@torch.no_grad()
def test_labels_and_numbers_of_the_optimized_guard_are_those_of_the_guard(guard, image) -> None:
    labels, found = predict_slices(optimize_for_inference(guard, image), image, POSITION, LOG_AREA)
    same, expected = predict_slices(guard, image, POSITION, LOG_AREA)
    inside = (..., slice(20, 60), slice(25, 75))
    assert (labels != same)[inside].float().mean() < 1e-3
    torch.testing.assert_close(found.entropy[:, 1:], expected.entropy[:, 1:], atol=1e-2, rtol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_number_of_threads_changes_no_label(guard, image, threads) -> None:
    labels, expected = predict_slices(optimize_for_inference(guard, image), image, POSITION, LOG_AREA)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        same, found = predict_slices(optimize_for_inference(guard, image), image, POSITION, LOG_AREA)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(labels, same)
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, atol=1e-5, rtol=1e-5, msg=name)


@torch.no_grad()
def test_a_guard_that_finds_something_in_the_background_is_read_as_a_whole(guard, image) -> None:
    guard.segmenter.final_conv.bias[3] += 99.0
    labels, found = predict_slices(optimize_for_inference(guard, image), image, POSITION, LOG_AREA)
    assert labels.eq(3).float().mean() > 0.5
    assert found.area.sum(dim=1).tolist() == [SIDE**2] * 3


@torch.no_grad()
def test_a_slice_that_is_not_finite_has_numbers_that_are_not(guard, image) -> None:
    image[1, 0, 40, 40] = torch.nan
    _, found = predict_slices(optimize_for_inference(guard, image), image, POSITION, LOG_AREA)
    assert found.area.isnan().all(dim=1).tolist() == [False, True, False]
    assert found.divergence.isnan().all(dim=1).tolist() == [False, True, False]
