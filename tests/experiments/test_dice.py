from __future__ import annotations

import numpy as np
import pytest

from experiments.dice import DROP, is_bad, structure_dice, volume_dice
from monai_advdefense.metrics import accepted_and_bad


def counts_of(*dice):
    """Overlap counts ``(N, 1 + S, 3)`` of structures of 100 voxels, given the Dice of each in each slice."""
    hits = np.round(100 * np.asarray(dice)).astype(np.int64)
    structures = np.stack([hits, np.full_like(hits, 100), np.full_like(hits, 100)], axis=-1)
    return np.concatenate([np.full_like(structures[:, :1], 7), structures], axis=1)


def test_volume_dice_pools_the_kept_slices():
    counts, volume = counts_of([1.0], [0.5], [0.2], [0.4]), np.array([0, 0, 1, 1])
    assert volume_dice(counts, volume).tolist() == pytest.approx([0.75, 0.3])
    kept = volume_dice(counts, volume, np.array([True, False, False, False]))
    assert kept[0] == pytest.approx(1.0)
    assert np.isnan(kept[1])


def test_structures_are_apart_and_the_background_is_left_out():
    dice = structure_dice(counts_of([1.0, 0.0], [0.5, 0.5]), np.array([4, 4]))
    assert dice.tolist() == [pytest.approx([0.75, 0.25])]


def test_a_structure_that_is_nowhere_counts_in_no_mean():
    counts = counts_of([0.5, 0.0])
    counts[:, 2] = 0
    assert volume_dice(counts, np.zeros(1)).tolist() == pytest.approx([0.5])


def test_bad_slices_are_those_of_the_metric():
    clean, attacked = counts_of([0.9], [0.9], [0.9], [0.3]), counts_of([0.85], [0.2], [0.8], [0.1])
    bad = is_bad(clean, attacked)
    assert bad.tolist() == [False, True, False, True]
    share = accepted_and_bad([True] * 4, [0.9, 0.9, 0.9, 0.3], [0.85, 0.2, 0.8, 0.1], drop=DROP)
    assert bad.mean() == share


def test_a_structure_invented_in_an_empty_slice_is_bad_and_an_empty_one_is_not():
    empty = np.zeros((1, 2, 3), np.int64)
    invented = np.array([[[0, 0, 0], [0, 5, 0]]])
    assert is_bad(empty, invented).tolist() == [True]
    assert is_bad(empty, empty).tolist() == [False]
