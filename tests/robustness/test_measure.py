from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monai_advdefense.robustness import Settings
from monai_advdefense.robustness.case import Case
from monai_advdefense.robustness.condition import Condition
from monai_advdefense.robustness.guarded import Subject
from monai_advdefense.robustness.measure import measured, reference_of
from monai_advdefense.robustness.unit_range import UnitRange

CPU = torch.device("cpu")
SETTINGS = Settings(attacks=("pgd",), steps=5)
CLEAN = Condition("clean", "clean", (0.0,))
ATTACK = Condition("attack", "pgd", (0.15, 0.45))


@pytest.fixture
def case(items):
    """Two images of 100 times the fixture's values, and a label that misses one column."""
    image = 100 * torch.stack([item["image"] for item in items[:2]])
    label = torch.cat([item["label"] for item in items[:2]])
    label[..., 4] = 0
    return Case("brain", "P1", image, label)


def subject(network, case):
    return Subject(UnitRange.of(_OfHundreds(network), case.image))


class _OfHundreds(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image / 100)


def test_counts_and_changes_of_the_clean_images_and_of_attacks(network, case):
    settings = {"settings": SETTINGS, "device": CPU, "with_pictures": False}
    clean = measured(case, CLEAN, subject(network, case), **settings)
    # The network finds 64 voxels and the last one; the label has 8 less.
    assert clean == {"counts": [[[[57, 65, 57]]] * 2], "change": [[0.0, 0.0]]}
    attacked = measured(case, ATTACK, subject(network, case), **settings)
    assert [level[0][0][0] for level in attacked["counts"]] == [9, 1]  # first those 0.1 above the threshold
    for budget, change in zip(ATTACK.levels, attacked["change"], strict=True):
        assert 0 < change[0] <= budget * 16 / float((case.image[0] / 100).norm())


def test_without_labels_the_clean_prediction_is_the_reference(network, case):
    unlabelled = replace(case, label=None)
    attacked = subject(network, case)
    reference = reference_of(unlabelled, attacked, SETTINGS, CPU)
    assert torch.equal(reference, (case.image[:, 0] > 50).long())
    clean = measured(unlabelled, CLEAN, attacked, settings=SETTINGS, device=CPU, with_pictures=False)
    assert clean["counts"] == [[[[65, 65, 65]]] * 2]


def test_nothing_changes_where_the_background_is(network, case):
    settings = replace(SETTINGS, background=float(100 * torch.tensor(0.1)))
    found = measured(case, ATTACK, subject(network, case), settings=settings, device=CPU, with_pictures=False)
    inside = (case.image[0] != settings.background).sum()
    assert found["change"][1][0] <= 0.45 * float(inside) ** 0.5 / float((case.image[0] / 100).norm())


def test_pictures_are_kept_of_each_level_if_asked(network, case):
    found = measured(case, ATTACK, subject(network, case), settings=SETTINGS, device=CPU, with_pictures=True)
    assert len(found["pictures"]) == 2
    assert all(picture.startswith("data:image/png;base64,") for level in found["pictures"] for picture in level)
    assert found["pictures"][0] != found["pictures"][1]
