from __future__ import annotations

import pytest
import torch

from monai_advdefense.errors import InputError
from monai_advdefense.robustness.outputs import predicted, structure_counts


def test_counts_of_classes_are_those_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    logits, label = torch.randn(3, 4, 6, 5, generator=generator), torch.randint(4, (3, 6, 5), generator=generator)
    counts = structure_counts(logits, label, "softmax")
    for image in range(3):
        found = logits[image].argmax(0)
        for structure in range(1, 4):
            of_label, of_found = label[image] == structure, found == structure
            expected = [int((of_label & of_found).sum()), int(of_found.sum()), int(of_label.sum())]
            assert counts[image, structure - 1].tolist() == expected


def test_channels_of_a_sigmoid_are_counted_each_on_its_own():
    logits = torch.tensor([[[1.0, 1.0, -1.0], [0.0, 2.0, 2.0]]])
    label = torch.tensor([[[1, 0, 1], [1, 1, 0]]])
    assert predicted(logits, "sigmoid").tolist() == [[[1, 1, 0], [0, 1, 1]]]
    assert structure_counts(logits, label, "sigmoid").tolist() == [[[1, 2, 2], [1, 2, 2]]]


def test_what_is_no_prediction_is_named():
    with pytest.raises(InputError, match="network: expected finite logits"):
        predicted(torch.full((1, 2, 3), torch.inf), "softmax")
    with pytest.raises(InputError, match="one channel: set activation to sigmoid"):
        predicted(torch.zeros(1, 1, 3), "softmax")
    with pytest.raises(InputError, match=r"label: expected shape \(1, 2, 3\)"):
        structure_counts(torch.zeros(1, 2, 3), torch.zeros(1, 3), "sigmoid")
