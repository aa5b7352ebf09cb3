"""Defense-GAN: an image is replaced by the nearest one that a generator of clean images can make."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from monai_advdefense.attacks.frozen import frozen
from monai_advdefense.messages import broken_rule

__all__ = ["DefenseGAN", "project", "wasserstein_critic_loss", "wasserstein_generator_loss"]

MOMENTUM = 0.7


def project(
    generator: nn.Module, image: Tensor, start: Tensor, *, steps: int, step_size: float
) -> tuple[Tensor, Tensor]:
    """Find the latent code whose image is nearest to each image, by gradient descent from several starts.

    Minimizes the squared error, mean over the channels and pixels of an image, by gradient descent with momentum 0.7
    on the code. The result of a sample does not depend on the others. The generator is put in evaluation mode and left
    as it was found.

    Args:
        generator: from codes ``(N, D)`` to images ``(N, C, *spatial)``.
        image: images ``(B, C, *spatial)``.
        start: codes from which each search starts ``(R, D)``, the same for every image.
        steps: number of steps of each search.
        step_size: factor of the gradient.

    Returns:
        The nearest images ``(B, C, *spatial)``, best of the R searches, and their codes ``(B, D)``.

    Raises:
        InputError: if an argument does not fit the others, or no search of an image ends at a finite error.

    Source:
        Samangouei, Kabkab, Chellappa, "Defense-GAN: Protecting Classifiers Against Adversarial Attacks Using
        Generative Models" (ICLR 2018), equation 7.

    Example:
        >>> image = torch.tensor([[[0.2, 0.8]]])
        >>> found, code = project(nn.Unflatten(1, (1, 2)), image, torch.zeros(1, 2), steps=99, step_size=0.5)
        >>> found, code
        (tensor([[[0.2000, 0.8000]]]), tensor([[0.2000, 0.8000]]))
    """
    if steps < 1 or start.ndim != 2 or not len(start):
        raise broken_rule(
            "steps, start", "at least 1 step and codes (R, D)", f"{steps} and {tuple(start.shape)}", "give R starts"
        )
    image = image.detach().as_subclass(Tensor)
    with frozen(generator), torch.inference_mode(False), torch.enable_grad():
        aim = image.clone().repeat_interleave(len(start), dim=0)
        code = start.to(image).repeat(len(image), 1).requires_grad_()
        optimizer = torch.optim.SGD([code], lr=step_size, momentum=MOMENTUM)
        for _ in range(steps):
            optimizer.zero_grad()
            _error(generator(code), aim).sum().backward()
            optimizer.step()
        code = code.detach()
        with torch.no_grad():
            made = generator(code)
            error = _error(made, aim).view(len(image), len(start)).nan_to_num(nan=torch.inf, posinf=torch.inf)
            best = error.argmin(1) + torch.arange(len(image), device=error.device) * len(start)
    if not torch.isfinite(error.amin(1)).all():
        raise broken_rule(
            "step_size", "a search that ends at a finite error", f"none with {step_size:g}", "make it smaller"
        )
    return made[best], code[best]


class DefenseGAN(nn.Module):
    """A generator of clean images in the place of a reformer; see :func:`project`.

    Args:
        generator: from codes ``(N, D)`` to ``(N, C, *spatial)``, for example :class:`monai.networks.nets.Generator`;
            a sigmoid takes its output to [0, 1].
        latent_size: length D of a code.
        restarts: number of random starts of the search.
        steps: number of steps of each.
        step_size: factor of the gradient.
        seed: seed of the starts, which are the same for every image.
    """

    def __init__(
        self,
        generator: nn.Module,
        latent_size: int,
        *,
        restarts: int = 10,
        steps: int = 200,
        step_size: float = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.generator = nn.Sequential(generator, nn.Sigmoid())
        self.latent_size = latent_size
        self.restarts = restarts
        self.steps = steps
        self.step_size = step_size
        self.seed = seed

    def forward(self, image: Tensor) -> Tensor:
        """Return the nearest image that can be generated, same shape as ``image`` ``(B, C, *spatial)``, in [0, 1]."""
        random = torch.Generator().manual_seed(self.seed)
        start = torch.randn(self.restarts, self.latent_size, generator=random)
        return project(self.generator, image, start, steps=self.steps, step_size=self.step_size)[0]


def wasserstein_critic_loss(
    fake: Tensor, real: Tensor, *, critic: Callable[[Tensor], Tensor], penalty: float = 10.0
) -> Tensor:
    """What a critic minimizes: fake minus real figure, and a penalty on gradients whose norm is not 1 (WGAN-GP).

    The gradient is taken at a random point between each pair of a fake and a real image. Draws come from the global
    random state.

    Args:
        fake: generated images ``(B, C, *spatial)``; no gradient flows into them.
        real: real images, same shape.
        critic: from images to one figure each.
        penalty: weight of the penalty.

    Raises:
        InputError: if the shapes differ.

    Source:
        Gulrajani et al., "Improved Training of Wasserstein GANs" (NeurIPS 2017), equation 3.

    Example:
        >>> wasserstein_critic_loss(torch.zeros(2, 1, 4), torch.ones(2, 1, 4), critic=lambda image: image.mean((1, 2)))
        tensor(1.5000)
    """
    fake, real = (images.detach().as_subclass(Tensor) for images in (fake, real))
    if fake.shape != real.shape:
        raise broken_rule(
            "fake", f"the shape of real, {tuple(real.shape)}", tuple(fake.shape), "generate as many of that size"
        )
    share = torch.rand(len(real), *[1] * (real.ndim - 1)).to(real)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    excess = torch.linalg.vector_norm(gradient.flatten(1), dim=1) - 1
    return critic(fake).mean() - critic(real).mean() + penalty * excess.square().mean()


def wasserstein_generator_loss(fake: Tensor, *, critic: Callable[[Tensor], Tensor]) -> Tensor:
    """What a generator minimizes: minus the critic's mean figure of the images ``(B, C, *spatial)`` that it made."""
    return -critic(fake).mean()


def _error(made: Tensor, aim: Tensor) -> Tensor:
    """Mean squared error ``(N,)`` of each image."""
    if made.shape != aim.shape:
        raise broken_rule(
            "generator",
            f"images of shape {tuple(aim.shape[1:])} as those to project",
            tuple(made.shape[1:]),
            "train it on images of this size",
        )
    return (made - aim).square().flatten(1).mean(1)
