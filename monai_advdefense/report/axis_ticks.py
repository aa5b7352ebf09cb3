"""Round numbers along an axis."""

from __future__ import annotations

from matplotlib.ticker import MaxNLocator

__all__ = ["axis_ticks"]


def axis_ticks(low: float, high: float, intervals: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Round numbers from ``low`` to ``high`` and how to write them.

    Args:
        low: one end.
        high: the other, larger than ``low``.
        intervals: how many there are at most between the numbers.
        whole: whole numbers alone.

    Example:
        >>> axis_ticks(-0.1, 0.35, 4)
        [(0.0, '0'), (0.2, '0.2')]
    """
    margin = 1e-9 * (high - low)
    ticks = MaxNLocator(intervals, integer=whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    inside = [float(tick) for tick in ticks if low - margin <= tick <= high + margin]
    return [(tick, f"{tick:.6g}".replace("-", "\N{MINUS SIGN}")) for tick in inside]
