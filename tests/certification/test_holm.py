import torch

from monai_advdefense.certification import holm_cut


def _stepped_down(p_values, alpha):
    """Holm's procedure as it is told: reject the smallest while it is below alpha over the number that are left."""
    left, rejected = sorted(p_values), []
    while left and left[0] <= alpha / len(left):
        rejected.append(left.pop(0))
    return rejected


def test_rejects_what_the_procedure_rejects_step_by_step():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        p_values = (torch.rand(12, generator=generator, dtype=torch.float64) ** 4 * 100).round() / 100
        cut = holm_cut(p_values, 0.05)
        assert sorted(p_values[p_values <= cut].tolist()) == _stepped_down(p_values.tolist(), 0.05)


def test_a_wrong_rejection_is_as_rare_as_asked_for():
    # All hypotheses true: their p-values are uniform, also where they hang together.
    generator = torch.Generator().manual_seed(0)
    alone = torch.rand(4000, 50, generator=generator, dtype=torch.float64)
    together = torch.rand(4000, 1, generator=generator, dtype=torch.float64).expand(-1, 50)
    for drawn in (alone, together):
        wrong = sum(holm_cut(p_values, 0.1) >= 0 for p_values in drawn) / len(drawn)
        assert wrong <= 0.1 + 0.015


def test_nothing_is_rejected_when_all_p_values_are_large():
    assert holm_cut(torch.ones(5), 0.05) < 0
    assert holm_cut(torch.ones(0), 0.05) < 0
