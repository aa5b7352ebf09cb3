from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from monai_advdefense.guard import DefendedSegmenter, ReconstructionDetector, Reformer
from monai_advdefense.report import plane_of, slice_views


def _network(**options):
    torch.manual_seed(0)
    detector = ReconstructionDetector(nn.Conv2d(1, 1, 3, padding=1), **options)
    segmenter = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3))
    return DefendedSegmenter(detector, Reformer(nn.Conv2d(1, 1, 3, padding=1)), segmenter)


def test_views_show_what_the_networks_make_of_the_right_slice(make_case):
    network = _network().train()
    volume = torch.rand(9, 4, 10)
    calls = []
    network.decision.register_forward_hook(lambda *_: calls.append(1))
    views = slice_views(network, volume, make_case([0.5, 0.4, 3.0, 0.1]).most_suspicious(2), 1)

    assert [view.record.index for view in views] == [2, 0]
    assert network.training
    assert not calls
    network.eval()
    with torch.no_grad():
        for view in views:
            image = volume[:, view.record.index][None, None]
            reformed = network.reformer(image)
            spectrum = np.fft.fftshift(np.abs(np.fft.fft2(image[0, 0].double().numpy()))) / 90
            np.testing.assert_array_equal(view.image, image[0, 0].numpy())
            np.testing.assert_allclose(view.spectrum, (np.log(spectrum + 1e-7) + 16) / 16, atol=1e-5)
            np.testing.assert_allclose(np.linalg.norm(view.residual), network.detector.score(image)[0], rtol=1e-5)
            np.testing.assert_allclose(view.reformed, reformed[0, 0].numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(views[1].labels, network.segmenter(reformed).argmax(1)[0].numpy())


def test_a_slice_that_was_not_accepted_has_no_labels(make_case):
    volume = torch.rand(8, 2, 8)
    for threshold in (1.0, float("nan")):
        case = make_case([3.0, 4.0], threshold)
        assert all(view.labels is None for view in slice_views(_network(), volume, case.slices, 1))


def test_residual_of_an_unshifted_spectrum_is_centered_for_the_eye(make_case):
    volume, case = torch.rand(7, 1, 8), make_case([0.5])
    (view,) = slice_views(_network(shift=False, log=False), volume, case.slices, 1)
    network = _network(shift=False, log=False)
    expected = network.detector(volume[:, 0][None, None]).abs()[0, 0].detach().numpy()
    np.testing.assert_allclose(view.residual, np.fft.fftshift(expected))
    (image_view,) = slice_views(_network(domain="image"), volume, case.slices, 1)
    assert view.residual_in_spectrum
    assert not image_view.residual_in_spectrum


@pytest.mark.parametrize(
    ("diagonal", "slice_dim", "ends", "spacing"),
    [((1, 1, 1), 1, "LRIS", (1, 1)), ((-2, 1, 3), 1, "RLIS", (2, 3)), ((1, 1, 1), 0, "PAIS", (1, 1))],
)
def test_plane_names_the_sides_of_the_patient(diagonal, slice_dim, ends, spacing):
    plane = plane_of(torch.ones(8, 8, 8), np.diag([*map(float, diagonal), 1.0]), slice_dim)
    assert plane.ends == ends
    assert plane.spacing == spacing


@pytest.mark.parametrize("corner", [(0, 0), (20, 15), (33, 9)])
def test_window_is_a_square_that_holds_the_content_of_all_slices(corner):
    volume = torch.zeros(40, 3, 40)
    first, second = corner
    volume[first : first + 4, 0, second : second + 2] = 1
    volume[first + 3 : first + 7, 2, second + 1 : second + 3] = 1
    window = plane_of(volume, np.eye(4), 1).window
    assert volume[window[0], :, window[1]].sum() == volume.sum()
    sides = [part.stop - part.start for part in window]
    assert sides[0] == sides[1] < 40
    assert all(0 <= part.start < part.stop <= 40 for part in window)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_window_of_a_blank_or_full_volume_is_everything(fill):
    window = plane_of(torch.full((12, 2, 30), fill), np.eye(4), 1).window
    assert window == (slice(0, 12), slice(0, 30))
