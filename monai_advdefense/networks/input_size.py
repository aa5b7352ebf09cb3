"""One rule for the input size of networks that pool."""

from __future__ import annotations

from torch import Tensor

from monai_advdefense.errors import InputError

__all__ = ["require_multiple"]


def require_multiple(image: Tensor, multiple: int) -> None:
    """Check that every spatial side of ``image`` is a multiple of ``multiple``.

    Args:
        image: tensor ``(B, C, *spatial)``.
        multiple: the total pooling factor of the network.

    Raises:
        InputError: a side is not a multiple. A scripted network raises ``torch.jit.Error`` with the same message.
    """
    for side in image.shape[2:]:
        if side % multiple != 0:
            # TorchScript compiles no function of the messages.
            padded = [(side + multiple - 1) // multiple * multiple for side in image.shape[2:]]
            raise InputError(
                f"image: expected sides that are multiples of {multiple}, found a side of {side}: pad to {padded}"
            )
