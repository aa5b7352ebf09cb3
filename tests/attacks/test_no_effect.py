from __future__ import annotations

import warnings

import pytest
import torch

from monai_advdefense.attacks import NoEffectWarning
from monai_advdefense.attacks.no_effect import warn_of_empty_mask, warn_of_no_effect

IMAGE = torch.linspace(-1000, 1500, 8).view(2, 1, 4)
BOTH = torch.tensor([True, True])


def told(**changed) -> str:
    """The warning of a run, empty if there is none."""
    options = {"size": torch.tensor([25.0, 25.0]), "gained": ~BOTH, "moved": BOTH, "tried": BOTH, **changed}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_no_effect(IMAGE, **options)
    assert len(caught) <= 1
    return str(caught[0].message) if caught else ""


def test_a_budget_that_is_tiny_for_the_range_is_named_with_both():
    text = told(size=torch.tensor([0.01, 0.01]))
    assert text.startswith("budget: expected a change that matters in a range of 2.5e+03, found 0.01 for a pixel:")
    assert "\n" not in text
    assert not told(size=torch.tensor([0.01, 25.0]))  # enough in one image


def test_an_attack_that_stayed_where_it_was_is_named():
    assert told(moved=~BOTH).startswith("network: expected a gradient that moves some pixel within mask and bounds")
    assert not told(moved=torch.tensor([True, False]))


@pytest.mark.parametrize(
    "changed",
    [
        {"gained": torch.tensor([True, False])},
        {"tried": ~BOTH},  # nothing was to be gained
        {"size": torch.zeros(2)},  # a budget of 0 is the identity
    ],
)
def test_who_gained_or_had_nothing_to_gain_is_not_warned(changed):
    assert not told(moved=~BOTH, **changed)


def test_masks_are_judged_image_by_image_and_only_where_something_is_targeted():
    mask = torch.tensor([[[True, False]], [[False, False]], [[False, False]]])
    targeted = torch.tensor([[[True, True]], [[True, False]], [[False, False]]])
    with pytest.warns(
        NoEffectWarning, match="mask: expected pixels that may change in each image, found none in 1 of 3"
    ):
        warn_of_empty_mask(mask, targeted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_empty_mask(mask[::2], targeted[::2])


def test_the_warning_points_to_the_line_of_the_caller():
    with pytest.warns(NoEffectWarning) as caught:
        warn_of_no_effect(IMAGE, size=torch.ones(2), gained=~BOTH, moved=~BOTH, tried=BOTH)
    assert caught[0].filename == __file__
