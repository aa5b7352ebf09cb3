"""Window: a rectangle of pixels, followed through the levels of a UNet."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Window"]


@dataclass(frozen=True)
class Window:
    """A part ``[top, bottom) x [left, right)`` of an image of ``height x width``, inside of it and not empty."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, pixels: int) -> Window:
        """The window with that many pixels more at each side, as far as the image goes."""
        top, bottom = max(self.top - pixels, 0), min(self.bottom + pixels, self.height)
        left, right = max(self.left - pixels, 0), min(self.right + pixels, self.width)
        return Window(top, bottom, left, right, self.height, self.width)

    def halved(self) -> Window:
        """What covers the window in an image of half the size."""
        top, left = self.top // 2, self.left // 2
        return Window(top, -(-self.bottom // 2), left, -(-self.right // 2), self.height // 2, self.width // 2)

    def doubled(self) -> Window:
        """The window in an image of twice the size."""
        edges = [2 * edge for edge in (self.top, self.bottom, self.left, self.right, self.height, self.width)]
        return Window(*edges)

    def joined(self, other: Window) -> Window:
        """The smallest window around both."""
        top, bottom = min(self.top, other.top), max(self.bottom, other.bottom)
        left, right = min(self.left, other.left), max(self.right, other.right)
        return Window(top, bottom, left, right, self.height, self.width)

    def shared(self, other: Window) -> Window:
        """What both cover; they overlap."""
        top, bottom = max(self.top, other.top), min(self.bottom, other.bottom)
        left, right = max(self.left, other.left), min(self.right, other.right)
        return Window(top, bottom, left, right, self.height, self.width)

    def of(self, image: Tensor, frame: Window | None = None) -> Tensor:
        """View of the window in ``image`` ``(B, C, H, W)``, which shows the whole image, or ``frame`` of it."""
        top, left = (frame.top, frame.left) if frame else (0, 0)
        return image[..., self.top - top : self.bottom - top, self.left - left : self.right - left]
