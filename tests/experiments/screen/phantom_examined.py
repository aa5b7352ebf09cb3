"""Examined phantoms, for the tests of what judges them."""

from __future__ import annotations

from dataclasses import replace

import torch

from experiments.screen.examined import Examined
from monai_advdefense.guard.blank import is_blank
from monai_advdefense.guard.volume_numbers import features_of
from monai_advdefense.metrics import overlap_counts
from tests.guard.phantom_screen import CLASSES, numbers, phantom, predictions


def examined(seed, spoil=lambda image: image):
    """A phantom, all slices; ``spoil`` changes its image, not its predictions."""
    clean, label = phantom(seed)
    image = spoil(clean)
    plain, reformed = (overlap_counts(logits.argmax(1), label, CLASSES) for logits in predictions(seed, label))
    index, changed = torch.arange(len(image)), torch.ones(len(image), dtype=torch.bool)
    blank = is_blank(image)
    return Examined(index, changed, blank, ~blank, features_of(image), numbers(seed), plain, reformed)


def part_of(volume, index):
    """Some slices of an examined volume."""
    return replace(
        volume,
        index=index,
        changed=volume.changed[index],
        blank=volume.blank[index],
        predicted=volume.predicted[index],
        features={name: values[index] for name, values in volume.features.items()},
        prediction=volume.prediction[index],
        plain=volume.plain[index],
        reformed=volume.reformed[index],
    )
