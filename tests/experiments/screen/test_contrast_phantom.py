from __future__ import annotations

import pytest
import torch

from experiments.screen.contrast_phantom import CENTER, CONTRAST, RING, contrast_agent


def _ball(side=80):
    """Three tissues in a row in a ball, dark to bright, and one voxel that is brighter."""
    line = torch.linspace(-1, 1, side)
    inside = (line[:, None, None] ** 2 + line[:, None] ** 2 + line**2).sqrt()[:, None] < 0.95
    tissue = torch.where(line < -0.25, 0.2, torch.where(line < 0.2, 0.5, 0.8))
    ball = torch.where(inside, tissue.expand(side, 1, side, side), 0.0)
    ball[side // 2, 0, side // 2, side // 2] = 0.9
    return ball


def test_tissues_come_closer_and_a_ring_shines_around_a_dark_center():
    clean = _ball()
    found = contrast_agent(clean)
    assert torch.equal(found > 0, clean > 0)
    # Far from the lesion.
    before, after = clean[10], found[10]
    dark, gray, white = (after[before == value].unique().item() for value in (0.2, 0.5, 0.8))
    assert dark == pytest.approx(0.2)
    assert white - gray == pytest.approx(CONTRAST * 0.3)
    bright = int((found == clean.max()).sum())
    assert bright == pytest.approx(4 / 3 * torch.pi * (RING**3 - CENTER**3), rel=0.1)


def test_nothing_stays_nothing():
    assert not contrast_agent(torch.zeros(3, 1, 8, 8)).any()
