from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from experiments.screen.conditions import ATTACKS, CLEAN, VOXEL_SIZES
from experiments.screen.judged import rejected_by_image
from experiments.screen.measured import EVERY, Measured, worth_erasing
from monai_advdefense.errors import InputError
from monai_advdefense.weights import save_weights
from tests.guard.phantom_screen import fitted_screen


@pytest.fixture
def measured(phantoms, bundles, write_weights, tmp_path):
    write_weights()
    save_weights(fitted_screen(), tmp_path / "screen.pt")
    return Measured(phantoms, "test", bundles, tmp_path / "work", tmp_path / "screen.pt")


def test_without_weights_nothing_is_measured(phantoms, bundles, tmp_path):
    measured = Measured(phantoms, "test", bundles, tmp_path, tmp_path / "screen.pt")
    with pytest.raises(InputError, match="expected the weights of the defended segmenter, found none"):
        measured.clean(measured.cases[0])


def test_a_clean_volume_has_all_its_slices_in_order_and_its_labels(measured):
    case = measured.cases[0]
    image, label = measured.volume(case)
    found = measured.clean(case)
    assert torch.equal(found.index, torch.arange(len(image)))
    assert not found.changed.any()
    assert torch.equal(found.blank, ~(image > 0).flatten(1).any(dim=1))
    counted = torch.stack([(label == number).flatten(1).sum(dim=1) for number in range(measured.num_classes)], dim=1)
    assert torch.equal(found.plain[..., 2], counted.to(found.plain))
    assert not found.prediction.area[found.blank].any()


def test_a_volume_spoilt_as_a_whole_is_measured_on_some_slices(measured):
    case = measured.cases[0]
    image, _ = measured.volume(case)
    found = measured.spoilt(case, "gamma 1.5")
    assert torch.equal(found.index, torch.arange(0, len(image), EVERY))
    assert torch.equal(found.changed, ~found.blank)
    alone = rejected_by_image(measured.screen, found.features, found.prediction.position)
    assert alone.any()
    assert torch.equal(found.predicted, ~found.blank & ~alone)
    assert torch.equal(found.reformed.flatten(1).any(dim=1), found.predicted)


def test_single_spoilt_slices_are_measured_alone(measured):
    case = measured.cases[0]
    found = measured.spoilt(case, "every tenth slice 0.6 as bright")
    assert found.changed.all()
    assert (found.index % 10 == 5).all()


# Those who know the scores have tests of their own.
@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if not attack.knows_scores])
def test_every_attack_changes_the_slices_it_was_given(measured, name):
    case = measured.cases[0]
    image, _ = measured.volume(case)
    found = replace(measured, work_dir=measured.work_dir / "small").crafted(case, name)
    moved = (found.image - image[found.index]).flatten(1).norm(dim=1)
    assert 1 <= len(found.index) <= ATTACKS[name].slices
    assert torch.equal(moved > 0, found.structure > 0) if ATTACKS[name].structure else (moved > 0).any()
    assert not found.image[image[found.index] <= 0].any()


def test_what_was_measured_is_read_again_and_other_weights_are_measured_anew(measured, write_weights, monkeypatch):
    case = measured.cases[0]
    assert not measured.is_kept(CLEAN)
    first = [(measured.clean(case), measured.spoilt(case, "blur")) for case in measured.cases][0][0]
    assert measured.is_kept("blur")
    assert measured.is_kept(CLEAN)
    monkeypatch.setattr("experiments.screen.measured.predicted", None)
    assert torch.equal(replace(measured).clean(case).plain, first.plain)
    write_weights(seed=1)
    assert not replace(measured).is_kept(CLEAN)


def test_a_volume_of_other_voxels_is_smoother(measured):
    case = measured.cases[0]
    coarse = measured.spoilt(case, next(name for name, size in VOXEL_SIZES.items() if size[0] == 2.0))
    assert coarse.changed.any()


def test_structures_to_erase_are_large_and_well_segmented():
    counts = torch.tensor([[[0, 0, 0], [60, 60, 60], [9, 9, 9]], [[0, 0, 0], [20, 60, 60], [9, 9, 9]]])
    assert worth_erasing(counts).tolist() == [1, 0]


def test_another_screen_gets_the_predictions_that_it_needs_and_keeps_the_others(measured, tmp_path):
    case = measured.cases[0]
    first = measured.spoilt(case, "gamma 1.5")
    lenient = fitted_screen()
    lenient.threshold.fill_(1e6)
    save_weights(lenient, tmp_path / "lenient.pt")
    second = replace(measured, screen_weights=tmp_path / "lenient.pt").spoilt(case, "gamma 1.5")
    assert (first.predicted <= second.predicted).all()
    assert torch.equal(second.predicted, ~second.blank)
    assert torch.equal(second.reformed[first.predicted], first.reformed[first.predicted])


def test_short_attacks_are_made_on_the_first_volume_of_each_subject(measured):
    every = measured.cases
    again = [every[0], {**every[0], "scan": "again"}, *every[1:]]
    twice = replace(measured)
    twice.__dict__["cases"] = again
    assert twice.cases_of("knows every score but bias") == every
    assert twice.cases_of("DAG A, γ/8") == again
    assert len({case["subject"] for case in every}) == len(every) > 1
