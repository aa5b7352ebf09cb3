"""Labels of a smoothed network, each with the radius within which nothing can change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from monai_advdefense.attacks.arguments import check_at_least, check_image, check_mask
from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.certification.noisy import noisy
from monai_advdefense.certification.radius import certified_radius
from monai_advdefense.messages import broken_rule

__all__ = ["Certificate", "certify"]


@dataclass(frozen=True)
class Certificate:
    """What is certified of a batch of images.

    Attributes:
        label: classes ``(B, *spatial)``, int64.
        radius: L2 radii ``(B, *spatial)`` in units of the image; within it no perturbation (inside the mask, if there
            is one) changes the label of this pixel. 0 where nothing is certified: the smoothed network abstains.
            Infinite outside of the mask.
    """

    label: Tensor
    radius: Tensor


@torch.no_grad()
def certify(
    network: nn.Module,
    image: Tensor,
    *,
    sigma: float,
    n: int = 1000,
    n_select: int = 10,
    alpha: float = 0.001,
    largest: float | None = None,
    mask: Tensor | None = None,
    batch_size: int = 8,
    generator: torch.Generator | None = None,
) -> Certificate:
    """Segment each image by the vote of noisy passes, and prove how far the vote holds.

    ``n_select`` passes choose the class of each pixel, ``n`` others count how often it comes. Memory does not grow with
    either. With a ``mask``, noise lives inside of it, the threat is one that changes the image inside of it alone, and
    pixels outside are background (class 0).

    Args:
        network: from images ``(B, C, *spatial)`` to logits ``(B, K, *spatial)``; put in evaluation mode and left as it
            was found.
        image: images ``(B, C, *spatial)``.
        sigma: standard deviation of the noise, in units of the image; the network should have been trained with it.
        n: passes that vote.
        n_select: passes that choose the class.
        alpha: chance that any pixel of an image has a radius that is too large.
        largest: no larger radius is asked for, which makes smaller ones easier to prove; None is what ``n`` equal
            votes prove.
        mask: ``(B or 1, 1 or C, *spatial)``, true where the image may be attacked; None is everywhere. A pixel is
            inside where one of its channels is.
        batch_size: noisy copies in one pass of the network.
        generator: source of the noise, on the device of the image; None is one of seed 0.

    Raises:
        InputError: an argument does not fit the others.

    Source:
        Fischer, Baader, Vechev, "Scalable Certified Segmentation via Randomized Smoothing" (ICML 2021), algorithm 1.

    Example:
        >>> image = torch.tensor([[[0.9, 0.1, 0.5]]])  # (B, C, W); is a pixel above 0.5?
        >>> network = nn.Conv1d(1, 2, 1)
        >>> network.weight.data, network.bias.data = torch.tensor([[[-1.0]], [[1.0]]]), torch.tensor([0.5, -0.5])
        >>> found = certify(network, image, sigma=0.25, n=200)
        >>> found.label[0, :2], found.radius[0] > 0
        (tensor([1, 0]), tensor([ True,  True, False]))
    """
    image = image.detach().as_subclass(Tensor)
    check_image(image)
    check_mask(mask, image)
    for name, count in {"n": n, "n_select": n_select, "batch_size": batch_size}.items():
        check_at_least(name, count, 1)
    if not sigma > 0 or not 0 < alpha < 1:
        rule = "sigma above 0, alpha between 0 and 1"
        raise broken_rule("sigma, alpha", rule, f"{sigma} and {alpha}", "0.25 and 0.001 are usual")
    generator = generator or torch.Generator(image.device).manual_seed(0)
    inside = torch.ones_like(image[:, :1], dtype=torch.bool) if mask is None else mask.as_subclass(Tensor).bool()
    inside = inside.expand(len(image), -1, *image.shape[2:])

    certified = []
    with frozen(network):
        for one, noise_mask in zip(image.split(1), inside.split(1), strict=True):
            passes = _Passes(network, one, noise_mask, sigma, batch_size, generator)
            place = noise_mask.any(1)
            chosen = passes.most_frequent(n_select)
            votes = passes.agreeing(chosen, n)
            inside_box = place[passes.box]
            proved = certified_radius(votes[inside_box], n=n, sigma=sigma, alpha=alpha, largest=largest)
            radius = torch.full(place.shape, torch.inf, device=image.device).masked_scatter(place, proved)
            label = torch.zeros_like(radius, dtype=torch.int64).masked_scatter(place, chosen[inside_box])
            certified.append((label, radius))
    labels, radii = zip(*certified, strict=True)
    return Certificate(torch.cat(labels), torch.cat(radii))


@dataclass(frozen=True)
class _Passes:
    """Noisy passes of one image ``(1, C, *spatial)``."""

    network: Callable[[Tensor], Tensor]
    image: Tensor
    mask: Tensor
    sigma: float
    batch_size: int
    generator: torch.Generator

    @cached_property
    def box(self) -> tuple[slice, ...]:
        """Where the mask lies, of ``(1, *spatial)``: classes are not asked for elsewhere."""
        places = self.mask.any(1).nonzero()
        if not len(places):
            return (slice(None), *[slice(0)] * (places.shape[1] - 1))
        return tuple(slice(int(low), int(high) + 1) for low, high in zip(places.amin(0), places.amax(0), strict=True))

    def classes(self, n: int) -> Iterator[tuple[Tensor, int]]:
        """Classes ``(b, *box)`` of ``n`` noisy copies, some at a time, and how many classes there are."""
        for start in range(0, n, self.batch_size):
            copies = self.image.repeat(min(self.batch_size, n - start), *[1] * (self.image.ndim - 1))
            logits = self.network(noisy(copies, sigma=self.sigma, mask=self.mask, generator=self.generator))
            # On the CPU several times faster than argmax.
            yield logits[(slice(None), slice(None), *self.box[1:])].max(1).indices, logits.shape[1]

    def most_frequent(self, n: int) -> Tensor:
        """Class ``(1, *box)`` that most of ``n`` passes give; of equal ones the lowest."""
        counts = (one_hot(found, classes).sum(0) for found, classes in self.classes(n))
        return reduce(torch.add, counts).argmax(-1).unsqueeze(0)

    def agreeing(self, label: Tensor, n: int) -> Tensor:
        """Passes ``(1, *box)`` of ``n`` that give the class of ``label`` ``(1, *box)``."""
        votes = torch.zeros_like(label)
        for found, _ in self.classes(n):
            votes += (found == label).sum(0)
        return votes
