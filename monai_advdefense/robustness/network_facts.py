"""Which network was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from monai_advdefense.robustness.cells import Cells

__all__ = ["network_sha256", "outputs_number"]

_SAMPLED = 1000
_TOLERANCE = 1e-3
"""More than rounding on another device does to logits, as a share of the largest."""


def network_sha256(network: nn.Module) -> str:
    """Checksum of the architecture and all weights of a network.

    Example:
        >>> first, second = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> network_sha256(first) == network_sha256(first) != network_sha256(second)
        True
    """
    digest = hashlib.sha256(str(network).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        exact = value.double() if value.is_floating_point() else value
        digest.update(exact.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def outputs_number(cells: Cells, of: Mapping[str, Any], logits: Tensor) -> int:
    """Number of these outputs among the different ones that the network has had for an image, the first of them 0.

    A checksum would not do: rounding differs from device to device.

    Args:
        cells: of the network, where samples of its outputs are kept.
        of: what is known of image and outputs otherwise, as JSON.
        logits: its outputs ``(B, K, *spatial)``.
    """
    flat = logits.detach().flatten()
    # Single precision would round the last place of a large volume up.
    places = torch.linspace(0, len(flat) - 1, _SAMPLED, dtype=torch.float64).long()
    values = flat[places.to(flat.device)].cpu().double()
    number = 0
    while not _equal(cells.make({**of, "outputs": number}, lambda: {"values": values.tolist()})["values"], values):
        number += 1
    return number


def _equal(known: list[float], values: Tensor) -> bool:
    largest = float(values.nan_to_num(0, 0, 0).abs().amax())
    same = torch.tensor(known, dtype=values.dtype)
    return torch.allclose(same, values, rtol=0, atol=_TOLERANCE * largest, equal_nan=True)
