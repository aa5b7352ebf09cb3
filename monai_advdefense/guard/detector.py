"""ReconstructionDetector: how badly an autoencoder of clean data reconstructs an image or its spectrum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monai_advdefense.errors import InputError
from monai_advdefense.guard.decision import accepts
from monai_advdefense.guard.spectrum import fft_shift_magnitude
from monai_advdefense.messages import broken_rule

__all__ = ["ReconstructionDetector"]


class ReconstructionDetector(nn.Module):
    """Scores each sample by the norm of what an autoencoder, fitted to clean data, cannot reconstruct.

    The module itself returns the residual, so training is the mean squared error of its output against zero. The
    threshold is the buffer ``threshold`` (float32 scalar): it travels in the state dict, TorchScript and ONNX. It
    is NaN until a calibration fills it, and then nothing is accepted.

    Args:
        network: autoencoder from ``(B, C, *spatial)`` to the same shape; kept as attribute ``network``.
        domain: what is reconstructed, ``"spectrum"`` (:func:`~monai_advdefense.guard.spectrum.fft_shift_magnitude` over
            all spatial axes) or ``"image"``.
        shift: for the spectrum: zero frequency at the centre.
        log: for the spectrum: scaled logarithm instead of the linear magnitude.

    Raises:
        InputError: ``domain`` is unknown.

    Source:
        Park et al., "Robustification of Segmentation Models Against Adversarial Perturbations In Medical Imaging"
        (2020); detector by reconstruction error: Meng, Chen, "MagNet" (CCS 2017), section 4.2.

    Example:
        >>> detector = ReconstructionDetector(nn.Identity())
        >>> image = torch.rand(2, 1, 8, 8)
        >>> detector.accept(image)
        tensor([False, False])
        >>> _ = detector.threshold.fill_(0.5)
        >>> detector.accept(image)
        tensor([True, True])

    Attributes:
        threshold_key: name of the threshold in the state dict.
    """

    threshold_key = "threshold"

    def __init__(self, network: nn.Module, *, domain: str = "spectrum", shift: bool = True, log: bool = True) -> None:
        super().__init__()
        if domain not in ("spectrum", "image"):
            raise broken_rule("domain", "'spectrum' or 'image'", repr(domain), "choose one of them")
        self.network = network
        self.domain = domain
        self.shift = shift
        self.log = log
        self.threshold = nn.Buffer(torch.tensor(float("nan"), dtype=torch.float32))

    def forward(self, image: Tensor) -> Tensor:
        """Return the residual ``x - network(x)``, ``x`` the spectrum of ``image`` ``(B, C, *spatial)`` or the image.

        Raises:
            InputError: the network gives another shape.
        """
        x = self.represent(image)
        reconstruction: Tensor = self.network(x)
        if reconstruction.shape != x.shape:
            raise InputError(
                f"network: expected the shape of its input, {x.shape}, found {reconstruction.shape}: use an autoencoder"
            )
        residual: Tensor = x - reconstruction
        return residual

    @torch.jit.export
    def represent(self, image: Tensor) -> Tensor:
        """Return what is reconstructed: the spectrum of ``image`` ``(B, C, *spatial)``, or ``image`` itself."""
        if self.domain == "spectrum":
            return fft_shift_magnitude(image, image.dim() - 2, self.shift, self.log)
        return image

    @torch.jit.export
    def residual_score(self, residual: Tensor) -> Tensor:
        """Return the scores ``(B,)`` of ``residual``, an output of this module: the 2-norm of each sample."""
        score: Tensor = torch.linalg.vector_norm(residual.flatten(1), dim=1)
        return score

    @torch.jit.export
    def score(self, image: Tensor) -> Tensor:
        """Return the scores ``(B,)`` of ``image`` ``(B, C, *spatial)``; higher is more suspicious. Differentiable."""
        return self.residual_score(self.forward(image))

    @torch.jit.export
    def decide(self, image: Tensor, score: Tensor) -> Tensor:
        """Return ``(B,)`` bool: accepted, given the ``score`` ``(B,)`` of ``image``.

        See :func:`~monai_advdefense.guard.decision.accepts` for the rule.
        """
        return accepts(image, score, self.threshold)

    @torch.jit.export
    def accept(self, image: Tensor) -> Tensor:
        """Return ``(B,)`` bool: the sample of ``image`` ``(B, C, *spatial)`` is accepted; see :meth:`decide`."""
        return self.decide(image, self.score(image))
