"""The attack of a training: quick, and drawn anew for every batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.arguments import check_at_least
from monai_advdefense.attacks.balls import BallAround, l2, low_frequencies
from monai_advdefense.attacks.composed import composed_attack
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.attacks.result import AttackResult
from monai_advdefense.attacks.steps import l2_step
from monai_advdefense.messages import broken_rule
from monai_advdefense.networks import fold_batch_norm

__all__ = ["TrainingAttack"]


class TrainingAttack:
    """Few steps of PGD from a random start, with norms and frequencies drawn anew for every batch.

    Each image has a norm of its own, so that the network learns to withstand strong attacks without giving up on weak
    ones; the start is drawn from a ball of random share of it. Half of the batches are attacked in low frequencies
    alone, which no smoothing removes.

    Args:
        norms: L2 norms of changes of any frequency, in units of the image.
        low_frequency_norms: L2 norms of changes that are sums of slow cosines; with none, there are no such batches.
        steps: number of steps; one is Wong's fast training.

    Raises:
        InputError: a norm is below 0, or ``norms`` is empty.

    Source:
        Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks" (ICLR 2018), equation 2.1; Wong,
        Rice, Kolter, "Fast is better than free" (ICLR 2020), algorithm 3; Guo, Frank, Weinberger, "Low Frequency
        Adversarial Perturbation" (UAI 2019).
    """

    def __init__(self, norms: Sequence[float], *, low_frequency_norms: Sequence[float] = (), steps: int = 1) -> None:
        check_at_least("steps", steps, 1)
        _check_norms("norms", norms, needed=True)
        _check_norms("low_frequency_norms", low_frequency_norms, needed=False)
        slow = partial(low_frequencies, norm="l2")
        self.ladders: list[tuple[BallAround, Sequence[float]]] = [(l2, norms)]
        if low_frequency_norms:
            self.ladders.append((slow, low_frequency_norms))
        self.steps = steps

    def __call__(self, network: nn.Module, image: Tensor, label: Tensor, *, mask: Tensor) -> AttackResult:
        """Attack ``image`` ``(B, C, *spatial)`` with classes ``(B, *spatial)`` within ``mask``.

        The network is seen in evaluation mode, its batch normalization folded; it is left as it is.
        """
        ball, norms = self.ladders[int(torch.randint(len(self.ladders), ()))]
        budget = torch.tensor(norms)[torch.randint(len(norms), (len(image),))].to(image)
        nearer = ball(image, budget * torch.rand(len(image)).to(image), mask=mask)
        with frozen(network):
            folded = fold_batch_norm(network)
        return composed_attack(
            folded,
            image,
            label,
            budget=budget,
            step=l2_step,
            ball=ball,
            n_steps=self.steps,
            mask=mask,
            bounds=None,
            include_background=True,
            start=nearer.random_points(torch.default_generator, 1)[0],
        )


def _check_norms(subject: str, norms: Sequence[float], *, needed: bool) -> None:
    if (needed and not norms) or not all(norm >= 0 for norm in norms):
        expected = f"{'at least one norm, each' if needed else 'norms'} >= 0"
        raise broken_rule(subject, expected, list(norms), "give norms such as [0.44, 1.46]")
