"""Several frames of one room to what the logo networks see: planes of what holds still, a packed tensor, and crops of places.

Numpy only, one thread, the same for training and for serving. An overlay's pixels hold still while the scene behind them moves, so
each pixel's median over the frames keeps the overlay, its spread says where the scene moved, and the smallest edge seen says where
an edge never left. Finding overlays is `networks/logo.py`, what the networks' answers mean is `logo_boxes.py`.

Frames are I420 (BT.601, video range), uint8, shape (H * 3 / 2, W): what OpenCV's `COLOR_RGB2YUV_I420` gives. Sides are multiples of
`SIDE_MULTIPLE_PX`; a picture is resized so that its longer side is `LONGEST_PX`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

LONGEST_PX = 1280
SIDE_MULTIPLE_PX = 16
"""Sides of a frame: the network's grid."""
N_FRAMES = 7
"""Frames of a look at most, some tenths of a second to seconds apart; fewer are allowed, one alone too."""

N_PACKED = 8
"""Planes of the packed tensor: four of luma, two of colour, spread, edges."""
CROP_HEIGHT_PX, CROP_WIDTH_PX = 40, 96
N_CROP = 6
"""Planes of a crop: luma, two of colour, spread, edges, and the shape of the place."""
MARGIN = 0.125
"""What a crop shows beyond each side of the place, as a share of that side."""

_STRIP_ROWS = 24
"""Rows that are sorted at once: a strip of every frame fits the second-level cache."""
_NEUTRAL = 128


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """What several frames of one room have in common."""

    luma: Bytes
    """Median, shape (H, W)."""
    chroma: Bytes
    """Median of U and V, shape (2, H / 2, W / 2)."""
    spread: Bytes
    """How far luma went over the frames without the outermost, mean of 2 by 2 pixels, shape (H / 2, W / 2)."""
    edges: Bytes
    """Smallest step to the pixel right or below over the frames, largest of 2 by 2 pixels, shape (H / 2, W / 2)."""

    def __repr__(self) -> str:
        return f"Planes({self.luma.shape[1]}x{self.luma.shape[0]})"


def frames_of_look(recent: Sequence[Bytes], number: int) -> Sequence[Bytes]:
    """Choose the frames of a room that one look sees.

    In turns the newest alone, which shows what is new or moves, and all of them, which show what is faint.

    Args:
        recent: the room's frames, oldest first.
        number: of the room's look, from 0.
    """
    return recent if number % 2 else recent[-1:]


def planes_of(frames: Sequence[Bytes]) -> Planes:
    """Gather frames of one size.

    Args:
        frames: I420, uint8, shape (H * 3 / 2, W) each; in any order.

    Raises:
        ValueError: no frame, or frames of several or impossible sizes.
    """
    height, width = _size(frames)
    n_frames = len(frames)
    skipped = n_frames // 6
    merged = np.empty_like(frames[0])
    far = np.empty((height, width), np.uint8)
    for top in range(0, merged.shape[0], _STRIP_ROWS):
        rows = slice(top, min(top + _STRIP_ROWS, merged.shape[0]))
        ordered = _sorted([frame[rows] for frame in frames])
        merged[rows] = ordered[n_frames // 2]
        if top < height:
            seen = min(rows.stop, height) - top
            np.subtract(ordered[n_frames - 1 - skipped][:seen], ordered[skipped][:seen], out=far[top : top + seen])
    chroma = merged[height:].reshape(2, height // 2, width // 2)
    return Planes(merged[:height], chroma, _halved(far), _lasting_edges(frames, height))


def packed(planes: Planes) -> Bytes:
    """Put planes side by side at half the size, nothing of luma lost.

    Returns:
        uint8, shape (8, H / 2, W / 2): luma of the even and odd pixels of even and odd rows, U, V, spread, edges.
    """
    luma = planes.luma
    quarters = (luma[0::2, 0::2], luma[0::2, 1::2], luma[1::2, 0::2], luma[1::2, 1::2])
    return np.stack((*quarters, planes.chroma[0], planes.chroma[1], planes.spread, planes.edges))


def crops(planes: Planes, boxes: Floats) -> Floats:
    """Show places with a margin, each stretched to one size; beyond the picture its rim goes on.

    Args:
        planes: of the look.
        boxes: left, top, right, bottom in pixels of luma, shape (n, 4).

    Returns:
        float32 in 0..255, shape (n, 6, 40, 96).
    """
    out = np.empty((len(boxes), N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX), np.float32)
    for row, box in zip(out, boxes, strict=True):
        left, top, right, bottom = (float(side) for side in box)
        width, height = max(right - left, 2.0), max(bottom - top, 2.0)
        x = (left - MARGIN * width, right + MARGIN * width)
        y = (top - MARGIN * height, bottom + MARGIN * height)
        _stretch((planes.luma,), x, y, row[:1])
        coarse = (planes.chroma[0], planes.chroma[1], planes.spread, planes.edges)
        _stretch(coarse, (x[0] / 2, x[1] / 2), (y[0] / 2, y[1] / 2), row[1:5])
        row[5] = np.clip(_NEUTRAL + 32.0 * np.log2(width / height), 0.0, 255.0)
    return out


def resized(plane: NDArray[Any], width: int, height: int) -> Floats:
    """Resample a whole plane to another size, smoothed where it shrinks; float32, shape (height, width)."""
    rows, _ = _weights((0.0, float(plane.shape[0])), height, plane.shape[0])
    columns, _ = _weights((0.0, float(plane.shape[1])), width, plane.shape[1])
    changed: Floats = rows @ plane.astype(np.float32) @ columns.T
    return changed


def _size(frames: Sequence[Bytes]) -> tuple[int, int]:
    if not frames:
        raise ValueError("a look needs at least one frame")
    rows, width = frames[0].shape
    height = rows * 2 // 3
    if height * 3 != rows * 2 or height % SIDE_MULTIPLE_PX or width % SIDE_MULTIPLE_PX:
        raise ValueError(f"frames must be I420 with sides that are multiples of {SIDE_MULTIPLE_PX}, got {frames[0].shape}")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise ValueError(f"frames of one look must be of one size, got {sorted({frame.shape for frame in frames})}")
    return height, width


@lru_cache(maxsize=32)
def _network(n: int) -> tuple[tuple[int, int], ...]:
    """Name the pairs that Batcher's odd-even merge sort compares, in order; 16 of them for 7."""
    pairs: list[tuple[int, int]] = []
    step = 1
    while step < n:
        gap = step
        while gap >= 1:
            for start in range(gap % step, n - gap, 2 * gap):
                for at in range(start, min(start + gap, n - gap)):
                    if at // (2 * step) == (at + gap) // (2 * step):
                        pairs.append((at, at + gap))
            gap //= 2
        step *= 2
    return tuple(pairs)


def _sorted(strips: list[Bytes]) -> list[Bytes]:
    """Sort pixel by pixel: whole rows of smaller and larger ones at a time."""
    rows = list(strips)
    for low, high in _network(len(rows)):
        rows[low], rows[high] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
    return rows


def _halved(plane: Bytes) -> Bytes:
    """Average 2 by 2 pixels."""
    rows = plane[0::2].astype(np.uint16) + plane[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def _lasting_edges(frames: Sequence[Bytes], height: int) -> Bytes:
    lasting = _edges(frames[0][:height])
    for frame in frames[1:]:
        np.minimum(lasting, _edges(frame[:height]), out=lasting)
    rows = np.maximum(lasting[0::2], lasting[1::2])
    return np.maximum(rows[:, 0::2], rows[:, 1::2])


def _edges(luma: Bytes) -> Bytes:
    """Larger of the steps to the pixel right and below; none at the rim."""
    found = np.zeros_like(luma)
    right, here = luma[:, 1:], luma[:, :-1]
    np.subtract(np.maximum(right, here), np.minimum(right, here), out=found[:, :-1])
    below, above = luma[1:], luma[:-1]
    step = np.maximum(below, above)
    step -= np.minimum(below, above)
    np.maximum(found[:-1], step, out=found[:-1])
    return found


def _stretch(planes: Sequence[Bytes], x: tuple[float, float], y: tuple[float, float], out: Floats) -> None:
    """Resample one rectangle of planes of one size, smoothed where it shrinks, into (planes, 40, 96)."""
    height, width = planes[0].shape
    rows, from_row = _weights(y, CROP_HEIGHT_PX, height)
    columns, from_column = _weights(x, CROP_WIDTH_PX, width)
    part = (slice(from_row, from_row + rows.shape[1]), slice(from_column, from_column + columns.shape[1]))
    across = columns.T
    for plane, shown in zip(planes, out, strict=True):
        np.matmul(rows @ plane[part].astype(np.float32), across, out=shown)


def _weights(span: tuple[float, float], n: int, limit: int) -> tuple[Floats, int]:
    """Weigh pixels for `n` samples of a span: a triangle, wider where the span has more pixels than samples.

    Returns:
        weights, shape (n, pixels), rows summing to 1, and the first pixel.
    """
    pitch = (span[1] - span[0]) / n
    reach = max(1.0, pitch)
    centres: NDArray[Any] = np.clip(span[0] + (np.arange(n, dtype=np.float32) + 0.5) * pitch - 0.5, 0.0, limit - 1.0)
    first = max(0, int(np.floor(centres[0] - reach)))
    last = min(limit - 1, int(np.ceil(centres[-1] + reach)))
    pixels: NDArray[Any] = np.arange(first, last + 1, dtype=np.float32)
    far: NDArray[Any] = np.abs(pixels[None, :] - centres[:, None]) / reach
    weights: Floats = np.maximum(1.0 - far, 0.0).astype(np.float32)
    return weights / weights.sum(axis=1, keepdims=True), first
