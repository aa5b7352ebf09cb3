from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from experiments.screen.prediction_figures import attack_line, clean_lines, erased_structures, fit
from experiments.screen.prediction_scores import ATTACKS, Networks, measured, positions, together
from experiments.slices import Slices

SLICES, SIZE = 24, 32


class NearestIntensity(nn.Module):
    """Predict each pixel by the nearest of three intensities."""

    def forward(self, image):
        centers = torch.tensor([0.0, 0.4, 0.8]).view(1, 3, 1, 1)
        return 40 * (centers * image - centers**2 / 2)


NETWORKS = Networks(NearestIntensity(), nn.AvgPool2d(3, stride=1, padding=1))


def volumes(subjects, seed):
    """A bright ball in a dark one for each subject."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.arange(SIZE) - SIZE / 2
    distance = (axis[:, None] ** 2 + axis**2).sqrt()
    bulge = torch.sin(torch.linspace(0.4, 2.7, SLICES))[:, None, None]
    labels = []
    for _ in range(subjects):
        radius = torch.tensor([14.0, 9.0]) * (1 + 0.05 * torch.randn(2, generator=generator))
        wobble = 1 + 0.02 * torch.randn(SLICES, 1, 1, generator=generator)
        labels.append((distance < radius[0] * bulge * wobble).long() + (distance < radius[1] * bulge * wobble).long())
    label = torch.cat(labels)
    image = (0.4 * label + 0.03 * torch.randn(label.shape, generator=generator)).clamp(0, 1) * (label > 0)
    number = np.repeat(np.arange(subjects), SLICES)
    names = np.array([f"subject {seed}-{index}" for index in number])
    return Slices(image[:, None], label, number, names, np.tile(np.arange(SLICES), subjects))


def with_numbers(slices):
    return slices, measured(NETWORKS, slices.image, positions(slices))


@pytest.fixture(scope="module")
def fitted():
    return fit(together([with_numbers(volumes(12, 0)), with_numbers(volumes(8, 1))]))


def test_two_splits_are_one_set_of_volumes():
    slices, arrays = together([with_numbers(volumes(2, 0)), with_numbers(volumes(3, 1))])
    assert np.array_equal(slices.volume, np.repeat(np.arange(5), SLICES))
    assert all(len(values) == 5 * SLICES for values in arrays.values())


def test_clean_volumes_are_mostly_clean(fitted):
    lines = clean_lines(fitted, with_numbers(volumes(5, 2)))
    assert sum(": clean " in line for line in lines[:5]) >= 3
    assert float(re.search(r"false alarms (\S+),", lines[5])[1]) < 0.2


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_runs_and_is_told(fitted, name):
    tested = with_numbers(volumes(2, 3))
    rows = torch.tensor([6, 12, 30, 36])
    image, label = tested[0].image[rows], tested[0].label[rows]
    structure = torch.full((4,), 2)
    attacked = ATTACKS[name](NETWORKS, image, label, structure)
    line = attack_line(name, fitted, tested, rows, measured(NETWORKS, attacked, positions(tested[0])[rows]))
    assert line.startswith(f"{name}: 4 slices, AUC ")
    assert all(0 <= float(value) <= 1 for value in re.findall(r"(?:bad|structure|rejected) (\d\.\d+)", line))


def test_a_structure_that_vanishes_is_rejected_and_told_as_bad(fitted):
    tested = with_numbers(volumes(2, 4))
    rows = torch.tensor([8, 12, 32, 36])
    spoilt = tested[0].image[rows].clamp_max(0.4)
    line = attack_line("gone", fitted, tested, rows, measured(NETWORKS, spoilt, positions(tested[0])[rows]))
    assert "AUC 1.000, rejected 1.00, bad 1.00, accepted and bad 0.00" in line


def test_structures_to_erase_are_large_and_well_segmented():
    label = torch.zeros(3, 10, 20, dtype=torch.long)
    label[:, :, :6], label[:, :, 6:8] = 1, 2
    predicted = label.clone()
    predicted[1, :, :6] = 0
    assert erased_structures(label, predicted, 3).tolist() == [1, 0, 1]
