from __future__ import annotations

import pytest
import torch
from torch import nn


class Threshold(nn.Module):
    """Class 1 above 0.5: an attack of size e turns exactly the pixels within e of it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(10.0))

    def forward(self, image):
        value = self.weight * (image[:, :1] - 0.5)
        return torch.cat([-value, value], 1)


@pytest.fixture
def network():
    return Threshold()


@pytest.fixture
def items():
    """Four images of two subjects: three quarters of what is class 1 lie 0.1 above the threshold, the rest 0.4."""
    image = torch.full((1, 16, 16), 0.1)
    image[:, 4:12, 4:12] = 0.6
    image[:, 4:12, 4:6] = 0.9
    image[:, 0, 0], image[:, -1, -1] = 0.0, 1.0  # the range of values is [0, 1]
    label = (image > 0.5).long()
    return [{"image": image, "label": label, "subject": f"P{n // 2}", "name": f"image {n}"} for n in range(4)]


@pytest.fixture(autouse=True)
def no_charts(request, monkeypatch):
    """Drawing takes most of the time of a small report; the tests of the page do it."""
    if "test_page" not in request.node.nodeid:
        monkeypatch.setattr("monai_advdefense.robustness.page.figure_to_data_uri", lambda figure: "data:,")
