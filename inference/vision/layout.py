"""How a frame is put together: bars at its sides, several pictures beside one another, a small picture over a large one.

    +--+---------+--+     bars, plain or blurred, are stripped: what is left is the *content*
    |  |  A | B  |  |     content that straight seams divide (a PK screen, a grid) gives a *tile* each
    |  |    |  +-|  |     a picture over another (a webcam) is a tile, too
    +--+---------+--+

Works on brightness at 320 pixels, in less than 2 ms. One frame may show a door frame where a seam seems to be; what counts in a
room is for `layout_memory.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.samples import Picture, Pixels
from inference.verdicts import Box
from inference.vision.bars import Rect, content_of
from inference.vision.seams import Seams

Places = NDArray[np.intp]
Sides = tuple[Places, Places]

LONG_SIDE_PX = 320
"""Longest side of the plane that is searched."""
MAX_TILES = 9
"""Tiles of a frame; a grid of more is looked at whole."""
TILE, INSET = "tile", "inset"
"""Names of tiles: beside one another, and over another."""

_SMALLEST_PX = 16
"""A plane with a shorter side is one picture: a line of pixels has no seams."""
_MIN_SIDE = 0.18
"""Shortest side of a tile, part of the content's side."""
_FULL_SEAM = 0.46
"""How much of a seam a line has to be over its whole length to divide."""
_INSET = 0.62
"""Least score of an inset: how much of its inner sides is a seam, more for long ones and less for what goes on beyond its corners.
One plain frame in three has such a rectangle (few of them twice), and seven webcams in ten."""
_WEAKEST_SIDE = 0.3
_LENGTH = 0.0012
"""What a pixel of seam gives: long straight ones are rarely a scene's."""
_INSET_SIDE = (0.1, 0.65)
"""Sides of an inset, parts of the frame's."""
_INSET_AREA = (0.015, 0.35)
_MAX_LINES = 10
_BEYOND, _BEYOND_PX = 1.0, 14
"""What it takes from an inset's score that its sides go on beyond its corners, and how far that is looked at, pixels."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where pictures are on a frame; boxes are fractions of the frame."""

    content: Box
    """What is left without bars."""
    tiles: tuple[Box, ...] = ()
    """Pictures within the content, named `tile` or `inset`; none where the content is one picture."""

    @property
    def plain(self) -> bool:
        """True where the frame is one picture without bars."""
        return not self.tiles and self.content.w >= 1.0 and self.content.h >= 1.0

    def parts(self, n_tiles: int) -> tuple[Box, ...]:
        """Return what to look at: the content, then at most so many of its tiles, largest first."""
        return (self.content, *sorted(self.tiles, key=lambda tile: -tile.area)[:n_tiles])

    def like(self, other: Layout) -> bool:
        """Tell whether two layouts have the same boxes, give or take two hundredths of the frame."""
        mine, theirs = (self.content, *self.tiles), (other.content, *other.tiles)
        return len(mine) == len(theirs) and all(near(one, two) for one, two in zip(mine, theirs, strict=True))


WHOLE = Layout(Box(0.0, 0.0, 1.0, 1.0, name="content"))


def layout_of(picture: Picture) -> Layout:
    """Find a picture's layout; see `find_layout`."""
    ratio = LONG_SIDE_PX / max(picture.width, picture.height)
    size = (max(16, round(picture.width * ratio)), max(16, round(picture.height * ratio)))
    return find_layout(picture.luma(size))


def find_layout(plane: Pixels) -> Layout:
    """Find the layout of one frame.

    Args:
        plane: brightness, uint8 (H, W), longest side about `LONG_SIDE_PX`.
    """
    if min(plane.shape) < _SMALLEST_PX:
        return WHOLE
    found = content_of(plane)
    content, across, down = found.rect, found.across, found.down
    whole = Rect(0, 0, content.width, content.height)
    smallest = (round(whole.width * _MIN_SIDE), round(whole.height * _MIN_SIDE))
    parts = _divided(whole, across, down, depth=0, smallest=smallest)
    if len(parts) > MAX_TILES:
        parts = [whole]
    # Not both: a grid's own seams look like the frames of small pictures.
    named = [(part, TILE) for part in parts] if len(parts) > 1 else [(inset, INSET) for inset in _insets(across, down)]
    boxes = tuple(_box(part.moved(content.left, content.top), plane, name) for part, name in named)
    return Layout(_box(content, plane, "content"), boxes)


def _divided(part: Rect, across: Seams, down: Seams, *, depth: int, smallest: tuple[int, int]) -> list[Rect]:
    """Cut a part along its strongest seam that runs all through, and so on with both halves."""
    if depth == 4:
        return [part]
    wide, tall = smallest
    x, by_x = across.strongest((part.left + wide, part.right - wide + 1), (part.top, part.bottom))
    y, by_y = down.strongest((part.top + tall, part.bottom - tall + 1), (part.left, part.right))
    if max(by_x, by_y) < _FULL_SEAM:
        return [part]
    if by_x >= by_y:
        halves = (Rect(part.left, part.top, x, part.bottom), Rect(x, part.top, part.right, part.bottom))
    else:
        halves = (Rect(part.left, part.top, part.right, y), Rect(part.left, y, part.right, part.bottom))
    return [one for half in halves for one in _divided(half, across, down, depth=depth + 1, smallest=smallest)]


def _insets(across: Seams, down: Seams) -> list[Rect]:
    """Find small pictures over a large one: rectangles with seams on every side that is not the frame's."""
    height, width = across.jumps.shape
    upright = across.lines(shortest=max(8, round(height * _INSET_SIDE[0])), at_most=_MAX_LINES)
    level = down.lines(shortest=max(8, round(width * _INSET_SIDE[0])), at_most=_MAX_LINES)
    if not upright or not level:
        return []
    columns = np.array(sorted({0, width, *upright}), np.intp)
    rows = np.array(sorted({0, height, *level}), np.intp)
    wide, tall = _spans(columns, width), _spans(rows, height)
    scores = _framed((columns, wide), (rows, tall), across, down)
    kept: list[Rect] = []
    for place in np.argsort(-scores, axis=None)[: int((scores > 0).sum())].tolist():
        column, row = divmod(place, len(tall))
        (left, right), (top, bottom) = columns[wide[column]].tolist(), rows[tall[row]].tolist()
        rect = Rect(left, top, right, bottom)
        if all(not rect.overlaps(other) for other in kept):
            kept.append(rect)
    return kept[:4]


def _spans(places: Places, whole: int) -> Places:
    """Pair places that lie as far apart as the sides of an inset do; indices, shape (n, 2)."""
    apart = places[None] - places[:, None]
    return np.argwhere((apart >= whole * _INSET_SIDE[0]) & (apart <= whole * _INSET_SIDE[1]))


def _framed(columns: Sides, rows: Sides, across: Seams, down: Seams) -> NDArray[np.float32]:
    """Score every rectangle of two columns and two rows by its inner sides; 0 where it is no inset, see `_INSET`.

    Args:
        columns: places of upright seams, and which two belong to a rectangle.
        rows: the same of level seams.
        across: jumps across columns.
        down: jumps across rows.

    Returns:
        shape (pairs of columns, pairs of rows).
    """
    height, width = across.jumps.shape
    (x, wide), (y, tall) = columns, rows
    upright = across.seam(x[:, None], y[tall[:, 0]][None], y[tall[:, 1]][None])  # (places, pairs of rows)
    level = down.seam(y[:, None], x[wide[:, 0]][None], x[wide[:, 1]][None])  # (places, pairs of columns)
    long = (x[wide[:, 1]] - x[wide[:, 0]])[:, None]
    high = (y[tall[:, 1]] - y[tall[:, 0]])[None]
    total, length = np.zeros((2, len(wide), len(tall)), np.float32)
    weakest, n_inner = np.ones_like(total), np.zeros_like(total)
    for end in (0, 1):
        for share, inner, side in (
            (upright[wide[:, end]], (x[wide[:, end]] % width > 0)[:, None], high),
            (level[tall[:, end]].T, (y[tall[:, end]] % height > 0)[None], long),
        ):
            counted = np.where(inner, share, 0.0)
            total += counted
            length += counted * side
            weakest = np.minimum(weakest, np.where(inner, share, 1.0))
            n_inner += inner
    score = total / np.maximum(1.0, n_inner) + _LENGTH * length - _BEYOND * _beyond(columns, rows, across, down)
    area = long * high / (width * height)
    fits = (area >= _INSET_AREA[0]) & (area <= _INSET_AREA[1]) & (n_inner >= 2)
    return np.where(fits & (score >= _INSET) & (weakest >= _WEAKEST_SIDE), score, 0.0).astype(np.float32)


def _beyond(columns: Sides, rows: Sides, across: Seams, down: Seams) -> NDArray[np.float32]:
    """Tell how much the sides of each rectangle go on beyond its corners, 0..1, as lines of a scene or a grid do; see `_framed`."""
    height, width = across.jumps.shape
    (x, wide), (y, tall) = columns, rows
    total = np.zeros((len(wide), len(tall)), np.float32)
    for end, outwards in ((0, -_BEYOND_PX), (1, _BEYOND_PX)):
        corner = y[tall[:, end]]
        further = (corner + outwards).clip(0, height)
        upright = across.seam(x[:, None], np.minimum(corner, further)[None], np.maximum(corner, further)[None])
        corner = x[wide[:, end]]
        further = (corner + outwards).clip(0, width)
        level = down.seam(y[:, None], np.minimum(corner, further)[None], np.maximum(corner, further)[None])
        for side in (0, 1):
            total += upright[wide[:, side]] + level[tall[:, side]].T
    return np.asarray(np.maximum(total, 0.0) / 8, np.float32)


def _box(rect: Rect, plane: Pixels, name: str) -> Box:
    height, width = plane.shape
    return Box(rect.left / width, rect.top / height, rect.width / width, rect.height / height, name=name)


def near(one: Box, other: Box) -> bool:
    """Tell whether two boxes are the same, give or take two hundredths of the frame."""
    return max(abs(one.x - other.x), abs(one.y - other.y), abs(one.w - other.w), abs(one.h - other.h)) <= 0.02
