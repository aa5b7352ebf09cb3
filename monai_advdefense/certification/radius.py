"""Radii within which the votes of noisy passes prove a label."""

from __future__ import annotations

import torch
from scipy.stats import beta, binom, norm
from torch import Tensor

from monai_advdefense.certification.holm import holm_cut
from monai_advdefense.messages import broken_rule

__all__ = ["certified_radius"]


def certified_radius(votes: Tensor, *, n: int, sigma: float, alpha: float, largest: float | None = None) -> Tensor:
    """Radius that the votes prove for each pixel, all pixels at once.

    A pixel whose class has the probability p under noise keeps it within ``sigma * quantile(p)`` in the L2 norm. The
    chance that any radius of all pixels is too large is at most ``alpha``: each pixel has an equal share of it and
    spends it on rising radii; one that proves the largest radius leaves its share to the others, as in Holm's
    procedure. With ``largest`` as the one radius of interest, the pixels that prove it are those of Fischer et al.

    Args:
        votes: passes of ``n`` that gave the class of the pixel, whole numbers of any shape. The class must have been
            chosen without these passes.
        n: passes that voted.
        sigma: standard deviation of the noise, in units of the image.
        alpha: chance that any pixel has a radius that is too large, in (0, 1).
        largest: no larger radius is asked for, in units of the image; None is what ``n`` equal votes prove.

    Returns:
        Radii, of the shape of ``votes``; 0 where nothing is proved, and the pixel abstains.

    Raises:
        InputError: votes are more than ``n`` or below 0, or ``n`` votes prove nothing for so many pixels.

    Source:
        Fischer, Baader, Vechev, "Scalable Certified Segmentation via Randomized Smoothing" (ICML 2021), algorithm 1;
        Bretz, Maurer, Brannath, Posch, "A Graphical Approach to Sequentially Rejective Multiple Test Procedures"
        (2009), section 2, for more than one radius.

    Example:
        >>> certified_radius(torch.tensor([1000, 950, 500]), n=1000, sigma=0.25, alpha=0.001)
        tensor([0.6025, 0.3569, 0.0000])
    """
    pixels = votes.numel()
    if not pixels:
        return torch.zeros(votes.shape, device=votes.device)
    if int(votes.min()) < 0 or int(votes.max()) > n:
        found = f"{int(votes.min())} to {int(votes.max())}"
        raise broken_rule("votes", f"0 to {n}", found, "count the passes that voted only")
    if largest is None:
        # All n votes prove p if p^n is at most the share of a pixel; a little less, lest rounding decides.
        largest = sigma * float(norm.ppf((alpha / pixels) ** (1.0 / n))) - 1e-9
    if not largest > 0:
        raise broken_rule("n", f"enough passes to prove anything of {pixels} pixels", n, "take more passes")
    # Each table holds all numbers of votes.
    counts = torch.arange(n + 1).numpy()
    p_of_largest = torch.from_numpy(binom.sf(counts - 1, n, norm.cdf(largest / sigma))).to(votes.device)[votes]
    proved = p_of_largest <= holm_cut(p_of_largest, alpha)
    share = alpha / max(pixels - int(proved.sum()), 1)
    bounds = torch.from_numpy(norm.ppf(beta.ppf(share, counts, n - counts + 1)))
    radii = (sigma * bounds.nan_to_num(nan=0.0)).clamp(0.0, largest).float().to(votes.device)[votes]
    return torch.where(proved, largest, radii)
