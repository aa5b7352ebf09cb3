from __future__ import annotations

import pytest
import torch
from monai.data import Dataset
from monai.transforms import LoadImage

from monai_advdefense.errors import InputError
from monai_advdefense.robustness import Settings
from monai_advdefense.robustness.case_facts import facts_of_cases, read_case

SETTINGS = Settings()


def _anything(case):
    """Every case can be used."""


def test_facts_are_those_of_the_cases_without_their_images(items):
    facts, failures = facts_of_cases(items, SETTINGS, _anything)
    assert failures == []
    assert [(one.number, one.name, one.subject) for one in facts] == [(n, f"image {n}", f"P{n // 2}") for n in range(4)]
    assert all((one.samples, one.labelled) == (1, True) for one in facts)
    assert facts[2].sha256 == read_case(items, 2, SETTINGS).sha256


def test_slices_are_counted_and_labels_may_be_missing_in_all():
    volume = torch.ones(1, 4, 5, 6)
    volume[:, :, 0] = 0
    facts, _ = facts_of_cases([{"image": volume}] * 2, Settings(slice_dim=1), _anything)
    assert [(one.samples, one.labelled) for one in facts] == [(4, False)] * 2


def test_cases_that_cannot_be_used_are_told_and_left_out(items, capsys):
    broken = {"image": torch.full((1, 4, 4), torch.nan), "name": "broken.nii"}
    data = Dataset(["/nowhere.nii", items[0], broken, items[1]], _loaded)
    facts, failures = facts_of_cases(data, SETTINGS, _anything)
    assert [one.number for one in facts] == [1, 3]
    assert failures[0].startswith("data[0]: expected an item that can be read, found FileNotFoundError: ")
    assert failures[1].startswith("broken.nii: expected an image")
    assert capsys.readouterr().err.splitlines() == [f"failed: {line}" for line in failures]


def test_what_the_check_refuses_is_told_and_left_out(items, capsys):
    def check(case):
        if case.name == "image 2":
            raise InputError("image 2: expected another")

    facts, failures = facts_of_cases(items, SETTINGS, check)
    assert [one.number for one in facts] == [0, 1, 3]
    assert failures == ["image 2: expected another"]
    assert capsys.readouterr().err == "failed: image 2: expected another\n"


def _loaded(item):
    return LoadImage()(item) if isinstance(item, str) else item


def test_what_began_an_error_is_told_and_not_the_line_around_it():
    def load(_):
        try:
            raise ValueError("no such series")
        except ValueError as error:
            raise RuntimeError("applying transform") from error

    with pytest.raises(InputError, match=r"^data\[0\]: .* found ValueError: no such series: check its files$"):
        read_case(Dataset([0], load), 0, SETTINGS)


def test_labels_of_some_cases_only_and_no_case_at_all_are_refused(items):
    without = {"image": items[0]["image"], "name": "bare"}
    with pytest.raises(InputError, match="^bare: expected a label, as other cases have, found none"):
        facts_of_cases([*items, without], SETTINGS, _anything)
    with pytest.raises(InputError, match="^data: expected a case that can be used, found none"):
        facts_of_cases([], SETTINGS, _anything)
    with pytest.raises(InputError, match="^data: expected items by number"):
        facts_of_cases(iter(items), SETTINGS, _anything)
