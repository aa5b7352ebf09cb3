from __future__ import annotations

import torch
from monai.inferers import SimpleInferer, SliceInferer, SlidingWindowInferer
from torch import nn

from monai_advdefense.robustness.windows import windowed


def test_gradients_go_through_overlapping_windows():
    torch.manual_seed(0)
    network = nn.Conv3d(1, 2, 1)
    whole, slice_dim = windowed(network, SlidingWindowInferer(roi_size=(4, 4, 4), overlap=0.5))
    assert slice_dim is None
    image = torch.rand(2, 1, 6, 7, 8, requires_grad=True)
    weight = torch.rand(2, 2, 6, 7, 8)
    through, direct = (torch.autograd.grad((net(image) * weight).sum(), image)[0] for net in (whole, network))
    torch.testing.assert_close(through, direct)


def test_slices_larger_than_a_window():
    network = nn.Conv2d(1, 2, 1)
    whole, slice_dim = windowed(network, SliceInferer(spatial_dim=2, roi_size=(4, 4), overlap=0.5))
    assert slice_dim == 2
    image = torch.rand(3, 1, 9, 6)
    torch.testing.assert_close(whole(image), network(image))


def test_other_inferers_pass_the_whole_image():
    network = nn.Conv2d(1, 2, 1)
    assert windowed(network, SimpleInferer()) == windowed(network, None) == (network, None)
