from __future__ import annotations

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import entropy

from monai_advdefense.guard.scores.structure_entropy import structure_entropy


def test_equals_scipy_over_the_pixels_of_each_predicted_class():
    logits = 3 * torch.randn(2, 4, 50, 60, generator=torch.Generator().manual_seed(0))
    image = 0.1 * torch.rand(2, 1, 50, 60, generator=torch.Generator().manual_seed(1))
    mean, count = structure_entropy(logits, image)
    pixels = entropy(softmax(logits.numpy(), axis=1), axis=1)
    predicted = logits.argmax(1).numpy()
    for sample in range(2):
        for index in range(4):
            chosen = predicted[sample] == index
            if index == 0:
                chosen &= image[sample, 0].numpy() > 0.05
            assert count[sample, index] == chosen.sum()
            np.testing.assert_allclose(mean[sample, index], pixels[sample][chosen].mean(), rtol=1e-5)


def test_is_the_logarithm_of_the_number_of_classes_where_nothing_is_known():
    mean, count = structure_entropy(torch.zeros(1, 5, 6, 6), torch.ones(1, 1, 6, 6))
    torch.testing.assert_close(mean[0, 0], torch.tensor(5.0).log())
    assert count.tolist() == [[36, 0, 0, 0, 0]]
    assert (mean[:, 1:] == 0).all()


def test_no_samples_have_no_means():
    nothing = torch.rand(0, 3, 4, 4)
    mean, count = structure_entropy(nothing, torch.rand(0, 1, 4, 4))
    assert mean.shape == count.shape == (0, 3)
