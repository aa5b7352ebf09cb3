"""Which network was measured."""

from __future__ import annotations

import hashlib

from torch import nn

__all__ = ["network_sha256"]


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
