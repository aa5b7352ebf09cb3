from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, kl_divergence

from monai_advdefense.defences import DistillationBatch, TemperedLoss, distillation_loss
from monai_advdefense.errors import InputError

TEMPERATURE = 20.0


@pytest.fixture
def logits():
    """Of a student and a teacher."""
    generator = torch.Generator().manual_seed(0)
    return [30 * torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64) for _ in range(2)]


def _distribution(logits):
    return Categorical(logits=logits.movedim(1, -1) / TEMPERATURE)


def test_the_loss_is_the_divergence_from_the_teacher_plus_the_teachers_entropy(logits):
    student, teacher = map(_distribution, logits)
    expected = (kl_divergence(teacher, student) + teacher.entropy()).mean()
    torch.testing.assert_close(distillation_loss(*logits, temperature=TEMPERATURE), expected)


def test_the_gradient_goes_to_the_student_alone_and_is_the_difference_of_the_probabilities(logits):
    student, teacher = (each.requires_grad_() for each in logits)
    distillation_loss(student, teacher, temperature=TEMPERATURE).backward()
    difference = (student / TEMPERATURE).softmax(1) - (teacher / TEMPERATURE).softmax(1)
    torch.testing.assert_close(student.grad, difference.detach() / TEMPERATURE / (2 * 4 * 3))
    assert teacher.grad is None


@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.1, 1.0, 2.0, 5.0, 9.0])])
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(logits, class_weights):
    student = logits[1].clone().requires_grad_()
    distillation_loss(student, logits[1], temperature=TEMPERATURE, class_weights=class_weights).backward()
    assert student.grad.abs().max() < 1e-15


def test_with_a_teacher_that_is_certain_it_is_the_weighted_logistic_loss(logits):
    label = torch.randint(5, (2, 4, 3), generator=torch.Generator().manual_seed(1))
    certain = 1000 * TEMPERATURE * nn.functional.one_hot(label, 5).movedim(-1, 1).double()
    weights = torch.tensor([0.1, 1.0, 2.0, 5.0, 9.0], dtype=torch.float64)
    loss = distillation_loss(logits[0], certain, temperature=TEMPERATURE, class_weights=weights)
    each = nn.functional.cross_entropy(logits[0] / TEMPERATURE, label, weight=weights, reduction="none")
    torch.testing.assert_close(loss, each.mean())


def test_weights_of_another_number_of_classes_are_refused(logits):
    with pytest.raises(InputError, match="class_weights: expected one for each of 5 classes, found shape"):
        distillation_loss(*logits, temperature=TEMPERATURE, class_weights=torch.ones(4))


def test_a_tempered_loss_sees_the_logits_over_the_temperature(logits):
    label = torch.randint(5, (2, 4, 3))
    loss = TemperedLoss(nn.CrossEntropyLoss(), TEMPERATURE)
    torch.testing.assert_close(loss(logits[0], label), nn.functional.cross_entropy(logits[0] / TEMPERATURE, label))


def test_labels_are_replaced_by_what_the_frozen_teacher_with_these_weights_gives(tmp_path):
    torch.manual_seed(0)
    trained, fresh = (nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)) for _ in range(2))
    trained(torch.rand(8, 1, 9, 9))  # the batch statistics are no longer those of a fresh network
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    batch = {"image": torch.rand(2, 1, 9, 9), "label": torch.ones(2, 1, 9, 9)}
    prepare = DistillationBatch(fresh, tmp_path / "model.pt")
    before = copy.deepcopy(fresh.state_dict())
    fresh.train()
    image, soft = prepare(batch, "cpu")
    assert torch.equal(image, batch["image"])
    assert torch.equal(soft, trained.eval()(batch["image"]))
    assert not soft.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(nn.Conv2d(1, 2, 1).state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match="expected the weights of Conv2d"):
        DistillationBatch(nn.Conv2d(1, 4, 1), tmp_path / "model.pt")


def test_what_does_not_fit_is_named(logits):
    with pytest.raises(InputError, match="teacher_logits: expected the shape"):
        distillation_loss(logits[0], logits[1][:, :2], temperature=TEMPERATURE)
    for temperature in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="temperature"):
            distillation_loss(*logits, temperature=temperature)
        with pytest.raises(InputError, match="temperature"):
            TemperedLoss(nn.CrossEntropyLoss(), temperature)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_more_pixels_than_it_can_hold(dtype):
    random = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(1, 28, 96, 96, generator=random).to(dtype) for _ in range(2))
    expected = distillation_loss(student.double(), teacher.double(), temperature=1.0)
    found = distillation_loss(student * 1, teacher, temperature=1.0)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
