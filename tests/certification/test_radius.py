import pytest
import torch
from scipy.stats import beta, norm

from monai_advdefense.certification import certified_radius
from monai_advdefense.errors import InputError


def _radius(votes, n=100, alpha=0.001, sigma=0.25, largest=None):
    return certified_radius(torch.as_tensor(votes), n=n, sigma=sigma, alpha=alpha, largest=largest)


def test_one_pixel_has_the_bound_of_clopper_and_pearson():
    for votes in (60, 80, 90, 97, 100):
        bound = beta.ppf(0.001, votes, 100 - votes + 1)
        assert _radius([votes]).item() == pytest.approx(max(0.25 * norm.ppf(bound), 0.0), abs=1e-6)


def test_more_votes_prove_more_and_half_of_them_nothing():
    radii = _radius(list(range(101)))
    assert (radii.diff() >= 0).all()
    assert (radii[:51] == 0).all()
    assert (radii[75:].diff() > 0).all()


def test_among_unsure_pixels_a_pixel_proves_less_and_among_sure_ones_as_much_as_alone():
    alone, unsure, sure = (_radius([93] + others)[0] for others in ([], [60] * 500, [100] * 500))
    assert unsure < alone
    assert sure == pytest.approx(alone.item(), abs=1e-6)


def test_with_one_radius_of_interest_it_is_holms_procedure():
    votes = torch.cat([torch.full((300,), 100), torch.arange(70, 100)])
    proved = (_radius(votes, largest=0.15) >= 0.15).sum()
    p_values = torch.distributions.Binomial(100, torch.tensor(norm.cdf(0.15 / 0.25)).double())
    tails = [p_values.log_prob(torch.arange(int(k), 101).double()).exp().sum().item() for k in votes]
    left = sorted(tails)
    while left and left[0] <= 0.001 / len(left):
        left.pop(0)
    assert proved == len(votes) - len(left)


def test_pixels_of_a_chance_vote_are_certified_as_rarely_as_asked_for():
    # Their class comes with probability one half: any radius above 0 would be wrong.
    torch.manual_seed(0)
    drawn = torch.distributions.Binomial(100, torch.full((1000, 50), 0.5)).sample().long()
    wrong = sum(bool(_radius(votes, alpha=0.05).any()) for votes in drawn) / len(drawn)
    assert wrong <= 0.05 + 0.02


def test_no_pixels_have_no_radii():
    assert _radius(torch.zeros(0, dtype=torch.long)).shape == (0,)


@pytest.mark.parametrize("votes", [101, -1])
def test_impossible_votes_are_refused(votes):
    with pytest.raises(InputError, match="votes: expected 0 to 100"):
        _radius([votes])


def test_too_few_passes_to_prove_anything_are_refused():
    with pytest.raises(InputError, match="n: expected enough passes"):
        _radius([5] * 10, n=5)
