"""A decoded video frame as its decoder left it: planes of brightness and colour, converted only for who asks, to the size asked.

Planes are scaled first and converted after: a detector that wants 320 x 320 pays for 320 x 320 pixels of colour arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.samples import Pixels, averaged


class Releasable(Protocol):
    """Whatever keeps the planes' memory in place; letting go of it lets the memory be used again."""

    def release(self) -> None:
        """Give the memory back."""
        ...


def planar_bytes(width: int, height: int) -> int:
    """Size of a 4:2:0 picture's three planes without padding."""
    return width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)


@dataclass(frozen=True, slots=True, eq=False)
class PlanarPicture:
    """A frame in 4:2:0: one brightness sample per pixel, one pair of colour samples per 2 x 2 pixels."""

    y: Pixels
    """Brightness, uint8, shape (H, W)."""
    u: Pixels
    """Blue difference, uint8, shape ((H + 1) // 2, (W + 1) // 2)."""
    v: Pixels
    """Red difference, same shape as `u`."""
    full_range: bool = False
    """True when 0..255 are black..white (JPEG range), False for 16..235 (television range)."""
    bt709: bool = False
    """True for the matrix of ITU-R BT.709 (HD), False for BT.601 (SD)."""
    lease: Releasable | None = field(default=None, repr=False)
    """Keeps the planes' memory in place; given back when the picture is gone."""

    def __post_init__(self) -> None:
        half = ((self.y.shape[0] + 1) // 2, (self.y.shape[1] + 1) // 2)
        if self.y.ndim != 2 or self.u.shape != half or self.v.shape != half:
            raise ValueError(f"planes must be (H, W) and twice {half}, got {self.y.shape}, {self.u.shape}, {self.v.shape}")

    @classmethod
    def from_bytes(
        cls, planes: Pixels, size: tuple[int, int], *, full_range: bool, bt709: bool, lease: Releasable | None = None
    ) -> PlanarPicture:
        """Look at planes that lie one after the other without padding.

        Args:
            planes: uint8, shape (`planar_bytes(*size)`,); looked at, not copied.
            size: (width, height) in pixels.
            full_range: see the field.
            bt709: see the field.
            lease: see the field.

        Raises:
            ValueError: the bytes are not as many as the size needs.
        """
        width, height = size
        if width < 1 or height < 1 or planes.shape != (planar_bytes(width, height),):
            raise ValueError(f"planes of {width}x{height} must be {planar_bytes(width, height)} bytes, got {planes.shape}")
        half_width, half_height = (width + 1) // 2, (height + 1) // 2
        at_u = width * height
        at_v = at_u + half_width * half_height
        return cls(
            planes[:at_u].reshape(height, width),
            planes[at_u:at_v].reshape(half_height, half_width),
            planes[at_v:].reshape(half_height, half_width),
            full_range,
            bt709,
            lease,
        )

    def __repr__(self) -> str:
        return f"PlanarPicture({self.width}x{self.height}, {'bt709' if self.bt709 else 'bt601'})"

    @property
    def width(self) -> int:
        """Pixels per row."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.y.shape[0])

    def rgb(self, size: tuple[int, int] | None = None) -> Pixels:
        """Return RGB uint8 (H, W, 3), scaled to `size` = (width, height), or as large as it is."""
        target = size or (self.width, self.height)
        scaled = cv2.merge([_scaled(self.y, target), _scaled(self.u, target), _scaled(self.v, target)])
        return np.asarray(cv2.transform(scaled, _matrix(self.bt709, self.full_range)), dtype=np.uint8)

    def luma(self, size: tuple[int, int]) -> Pixels:
        """Return brightness uint8 (H, W), 0..255, area-averaged to `size` = (width, height)."""
        small = averaged(self.y, size)
        if self.full_range:
            return small if small.base is None else small.copy()
        return np.asarray(cv2.LUT(small, _TO_FULL), dtype=np.uint8)


def _scaled(plane: Pixels, target: tuple[int, int]) -> Pixels:
    """Scale one plane: area averaging when shrinking to half or less, bilinear otherwise."""
    height, width = plane.shape
    if (width, height) == target:
        return plane
    shrinks = target[0] * 2 <= width or target[1] * 2 <= height
    return np.asarray(cv2.resize(plane, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), dtype=np.uint8)


def _colour_matrix(*, kr: float, kb: float, full_range: bool) -> NDArray[np.float32]:
    """Derive the 3 x 4 matrix (Y, U, V, 1) -> (R, G, B) from a standard's two luma weights.

    Source:
        ITU-R BT.601-7 section 2.5 and BT.709-6 section 3: E'y = kr R + kg G + kb B.
    """
    kg = 1.0 - kr - kb
    to_y, to_c, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    red, blue = 2 * (1 - kr) * to_c, 2 * (1 - kb) * to_c
    rows = np.array(
        [[to_y, 0.0, red], [to_y, -blue * kb / kg, -red * kr / kg], [to_y, blue, 0.0]],
        dtype=np.float64,
    )
    offsets = -rows @ np.array([black, 128.0, 128.0])
    return np.hstack([rows, offsets[:, None]]).astype(np.float32)


_MATRICES = {
    (bt709, full_range): _colour_matrix(kr=kr, kb=kb, full_range=full_range)
    for bt709, kr, kb in ((False, 0.299, 0.114), (True, 0.2126, 0.0722))
    for full_range in (False, True)
}

_TO_FULL: NDArray[np.uint8] = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
"""Brightness of the television range stretched to 0..255."""


def _matrix(bt709: bool, full_range: bool) -> NDArray[np.float32]:
    return _MATRICES[bt709, full_range]
