from __future__ import annotations

import numpy as np
import torch

from experiments.paper.spectrum_plots import images_plot, spectra_plot
from experiments.tables import CLEAN
from monai_advdefense.guard.spectrum import fft_shift_magnitude


def _shown(figure):
    """Array of each picture, by its place in the grid."""
    return {
        tuple(axes.get_subplotspec().rowspan)[:1] + tuple(axes.get_subplotspec().colspan)[:1]: axes.images[
            0
        ].get_array()
        for axes in figure.axes
        if axes.images
    }


def test_figures_show_the_slices_their_spectra_and_the_changes(results):
    examples = results.examples
    clean, attacked = examples[CLEAN], examples["type C"]
    images = _shown(images_plot(examples))
    spectra = _shown(spectra_plot(examples))

    def at(pictures, row, column):
        return np.asarray(pictures[row, column]).T

    assert np.array_equal(at(images, 0, 3), attacked)
    assert np.allclose(at(images, 1, 3), attacked - clean)
    shifted = fft_shift_magnitude(torch.from_numpy(attacked)).numpy()
    assert np.allclose(np.fft.fftshift(at(spectra, 0, 3)), shifted)
    assert np.allclose(at(spectra, 1, 3), shifted)
    assert np.allclose(at(spectra, 2, 3), shifted - at(spectra, 1, 0))
    assert len(images) == 7
    assert len(spectra) == 11


def test_slices_without_any_change_are_drawn():
    blank = np.zeros((8, 8))
    assert len(_shown(images_plot({CLEAN: blank, "type A": blank}))) == 3
