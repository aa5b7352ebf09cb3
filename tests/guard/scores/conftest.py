from __future__ import annotations

import pytest
import torch
from torch import Tensor


class Organ:
    """Volumes of a made-up organ: two lobes and a core."""

    CLASSES = 4  # background, left lobe, right lobe, core

    @staticmethod
    def labels(subject: int, slices: int = 60, size: int = 48) -> Tensor:
        return organ_labels(subject, slices, size)

    @staticmethod
    def logits(label: Tensor) -> Tensor:
        """Confident logits ``(S, CLASSES, size, size)`` of label maps."""
        return 8.0 * torch.nn.functional.one_hot(label, Organ.CLASSES).movedim(-1, 1).float()

    @staticmethod
    def positions(slices: int = 60) -> Tensor:
        """Positions ``(S,)`` of the slices of a volume."""
        return torch.linspace(0, 1, slices)


@pytest.fixture(scope="session")
def organ() -> type[Organ]:
    """A made-up organ of four classes."""
    return Organ


def organ_labels(subject: int, slices: int, size: int) -> Tensor:
    """Label maps ``(S, size, size)``: discs that grow and shrink along the organ, a little different by subject."""
    generator = torch.Generator().manual_seed(subject)
    grow, shift = 1 + 0.05 * torch.randn(3, generator=generator), torch.randn(3, 2, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    volume = torch.zeros(slices, size, size, dtype=torch.int64)
    for index in range(slices):
        profile = torch.sin(torch.tensor((index + 0.5) / slices * torch.pi))
        wobble = 1 + 0.01 * torch.randn(3, generator=generator)
        for structure, (row, column, radius) in enumerate([(24, 14, 9.0), (24, 33, 9.0), (12, 24, 5.0)]):
            center = torch.tensor([row, column]) + shift[structure]
            distance = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
            volume[index][distance < (radius * profile * grow[structure] * wobble[structure]) ** 2] = structure + 1
    return volume
