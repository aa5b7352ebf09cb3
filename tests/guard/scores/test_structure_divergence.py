from __future__ import annotations

import math

import pytest
import torch

from monai_advdefense.guard.scores.structure_divergence import StructureDivergence


def predictions(organ, subjects, change=0.05, seed=0):
    """Logits of images and of reformed images, which differ by noise, with the images."""
    label = torch.cat([organ.labels(subject) for subject in subjects])
    generator = torch.Generator().manual_seed(seed)
    logits = organ.logits(label) + 0.3 * torch.randn(len(label), 4, 48, 48, generator=generator)
    other = logits + change * torch.randn(logits.shape, generator=generator)
    return logits, other, (label > 0).unsqueeze(1).float()


def numbers(score, organ, logits, other, image):
    divergence, count = score.divergence(logits, other, image)
    position = organ.positions().repeat(len(image) // 60)
    return divergence, count, position, torch.log(image.flatten(1).sum(1).clamp_min(1))


@pytest.fixture(scope="module")
def score(organ):
    found = StructureDivergence(organ.CLASSES)
    found.fit(*numbers(found, organ, *predictions(organ, range(8))))
    return found


def test_clean_slices_are_standard_normal_and_more_divergence_scores_higher(organ, score):
    found = [score(*numbers(score, organ, *predictions(organ, [100], c, 1))) for c in (0.05, 0.1, 0.4)]
    assert abs(float(found[0].median())) < 0.5
    # The ends show no structure.
    assert (found[1] > found[0])[5:55].all()
    assert (found[2] > found[1])[5:55].all()


def test_one_small_structure_that_differs_is_seen_where_the_mean_over_pixels_hides_it(organ, score):
    logits, other, image = predictions(organ, [102])
    core = other.argmax(1) == 3
    changed = torch.where(core.unsqueeze(1), logits + 1.5 * (other - logits).sign(), other)
    before, after = (score(*numbers(score, organ, logits, item, image)) for item in (other, changed))
    shown = core.flatten(1).sum(1) > 20
    assert (after - before)[shown].amin() > 3


def test_a_logit_that_is_not_finite_makes_the_score_of_its_slice_nan(organ, score):
    logits, other, image = predictions(organ, [103])
    logits[7, 0, 0, 0] = math.nan
    found = score(*numbers(score, organ, logits, other, image))
    assert found.isnan().nonzero().flatten().tolist() == [7]


def test_an_attacker_can_descend_it(organ, score):
    logits, other, image = predictions(organ, [104], change=0.5)
    leaves = [logits.requires_grad_(), other.requires_grad_()]
    found = score(*numbers(score, organ, *leaves, image))
    for leaf, gradient in zip(leaves, torch.autograd.grad(found.sum(), leaves), strict=True):
        assert gradient.isfinite().all()
        with torch.no_grad():
            leaf -= 0.5 * gradient / gradient.abs().amax()
    assert score(*numbers(score, organ, *leaves, image)).mean() < found.mean()


def test_without_a_fit_the_score_is_nan(organ):
    fresh = StructureDivergence(organ.CLASSES)
    assert fresh(*numbers(fresh, organ, *predictions(organ, [0]))).isnan().all()


def test_a_state_dict_and_a_script_give_the_same(organ, score):
    items = predictions(organ, [105])
    expected = score(*numbers(score, organ, *items))
    other = StructureDivergence(organ.CLASSES)
    other.load_state_dict(score.state_dict())
    assert torch.equal(other(*numbers(other, organ, *items)), expected)
    scripted = torch.jit.script(score)
    torch.testing.assert_close(scripted(*numbers(scripted, organ, *items)), expected)
