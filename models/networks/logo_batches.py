"""Batches for the logo networks out of stored scenes: windows with a grid of answers, and pairs of a place and its mark.

A pool of scenes is in memory and changes little by little; what is drawn depends on the random source and the pool alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np
from numpy.typing import NDArray

from models.logo_boxes import CELL_PX, moves_to, overlaps
from models.logo_cache import SceneCache, Stored
from models.logo_codec import Bytes, Floats, crops, packed
from models.logo_renderings import VIEW_WIDTHS_PX, tinted, view

WINDOW_PX = (768, 448)
"""Width and height of a window, in pixels of luma."""
CORE = 0.5
"""Share of a box's sides around its centre in which cells answer for it."""
_N_VIEWS = 3
"""Views kept of a mark while its scene is in the pool."""
_LUMA_ENDS = 16.0 + 235.0
_LEVELS = ((30.0, 90.0), (60.0, 130.0), (90.0, 160.0), (150.0, 225.0), (20.0, 230.0))


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A batch for the finder."""

    planes: Bytes
    """Shape (n, 8, 224, 384)."""
    marks: NDArray[np.float32]
    """1 where a cell answers for a mark, 0 where for none, -1 where it does not matter; shape (n, 1, 28, 48)."""
    sides: Floats
    """In cells, where `marks` is 1; shape (n, 4, 28, 48)."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """A batch for the teller: n places that show a mark, the n marks enrolled, and m places that show none."""

    seen: Floats
    """Shape (n + m, 6, 40, 96)."""
    enrolled: Floats
    """Shape (n, 6, 40, 96)."""
    moves: Floats
    """From the places shown to the marks' own, shape (n, 4)."""
    judged: NDArray[np.float32]
    """1 a mark, 0 none, -1 hard to say; shape (n + m,)."""
    seeds: NDArray[np.int64]
    """Of the marks, shape (n,)."""


@dataclass(slots=True, eq=False)
class _Kept:
    scene: Stored
    views: dict[int, list[Floats]] = field(default_factory=dict)
    packed: Bytes | None = None


class Pool:
    """Some groups of scenes in memory."""

    def __init__(self, cache: SceneCache, random: Random, *, n_groups: int) -> None:
        self._cache = cache
        self._order = self._numbers(random)
        self._most = n_groups
        self._groups = [self._next() for _ in range(max(1, min(n_groups, len(cache))))]
        self._turn = 0

    def renew(self) -> None:
        """Put the next group of the folder in the place of the oldest, or beside them while there is room."""
        if len(self._groups) < self._most:
            self._groups.append(self._next())
            return
        self._groups[self._turn % len(self._groups)] = self._next()
        self._turn += 1

    def windows(self, random: Random, n: int) -> Windows:
        """Draw a batch for the finder."""
        drawn = [_window(random, self._scene(random)) for _ in range(n)]
        planes, marks, sides = zip(*drawn, strict=True)
        return Windows(np.stack(planes), np.stack(marks), np.stack(sides))

    def pairs(self, random: Random, *, n: int, n_none: int) -> Pairs:
        """Draw a batch for the teller; every mark in it is another one."""
        taken: dict[int, tuple[_Kept, int]] = {}
        for _ in range(40 * n):
            kept = self._scene(random)
            places = list(range(len(kept.scene.seeds)))
            random.shuffle(places)
            for place in places[:4]:
                taken.setdefault(kept.scene.seeds[place], (kept, place))
            if len(taken) >= n:
                break
        chosen = list(taken.values())[:n]
        shown = [_shown(random, kept, place) for kept, place in chosen]
        enrolled = [_enrolled(random, kept, place) for kept, place in chosen]
        changed = [
            _changed(random, *row) for row in zip((crop for crop, _ in shown), enrolled, (move for _, move in shown), strict=True)
        ]
        none = [_none(random, self._scene(random)) for _ in range(n_none)]
        return Pairs(
            np.stack([crop for crop, _, _ in changed] + [crop for crop, _ in none]),
            np.stack([crop for _, crop, _ in changed]),
            np.stack([move for _, _, move in changed]),
            np.array([1.0] * len(shown) + [judged for _, judged in none], np.float32),
            np.array([kept.scene.seeds[place] for kept, place in chosen], np.int64),
        )

    def _scene(self, random: Random) -> _Kept:
        return random.choice(random.choice(self._groups))

    def _next(self) -> list[_Kept]:
        return [_Kept(scene) for scene in self._cache.read(next(self._order))]

    def _numbers(self, random: Random) -> Iterator[int]:
        while True:
            numbers = self._cache.numbers()
            random.shuffle(numbers)
            yield from numbers


def _window(random: Random, kept: _Kept) -> tuple[Bytes, NDArray[np.float32], Floats]:
    scene = kept.scene
    if kept.packed is None:
        kept.packed = packed(scene.planes)
    height, width = scene.planes.luma.shape
    left = random.randrange(0, max(1, (width - WINDOW_PX[0]) // CELL_PX + 1)) * CELL_PX
    top = random.randrange(0, max(1, (height - WINDOW_PX[1]) // CELL_PX + 1)) * CELL_PX
    part = kept.packed[:, top // 2 : (top + WINDOW_PX[1]) // 2, left // 2 : (left + WINDOW_PX[0]) // 2]
    shift = np.array([left, top, left, top], np.float32)
    marks, sides = grid_of(scene.boxes - shift, scene.unclear - shift, (WINDOW_PX[1] // CELL_PX, WINDOW_PX[0] // CELL_PX))
    if random.random() < 0.5:
        part, marks, sides = part[[1, 0, 3, 2, 4, 5, 6, 7], :, ::-1], marks[:, :, ::-1], sides[[2, 1, 0, 3], :, ::-1]
    return np.ascontiguousarray(part), np.ascontiguousarray(marks), np.ascontiguousarray(sides)


def grid_of(boxes: Floats, unclear: Floats, shape: tuple[int, int]) -> tuple[NDArray[np.float32], Floats]:
    """Say what the finder should answer.

    Args:
        boxes: of marks, shape (n, 4); one cut by the rim to less than 0.6 of its area does not matter.
        unclear: of what does not matter, shape (m, 4).
        shape: rows and columns of cells.

    Returns:
        marks (1, rows, columns) and sides (4, rows, columns), see `Windows`.
    """
    marks = np.zeros((1, *shape), np.float32)
    sides = np.ones((4, *shape), np.float32)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
    for box in unclear / CELL_PX:
        marks[0, (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])] = -1.0
    rim = np.array([shape[1], shape[0]], np.float32)
    for whole in sorted(boxes / CELL_PX, key=lambda box: -float((box[2] - box[0]) * (box[3] - box[1]))):
        box = np.concatenate((np.clip(whole[:2], 0, rim), np.clip(whole[2:], 0, rim)))
        area, own = np.prod(box[2:] - box[:2]), np.prod(whole[2:] - whole[:2])
        if area <= 0.02 * own:
            continue
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * CORE
        core = (np.abs(x - centre[0]) <= half[0]) & (np.abs(y - centre[1]) <= half[1])
        core[min(int(centre[1]), shape[0] - 1), min(int(centre[0]), shape[1] - 1)] = True
        marks[0, core] = 1.0 if area >= 0.6 * own else -1.0
        for at, away in enumerate((x - box[0], y - box[1], box[2] - x, box[3] - y)):
            sides[at, core] = np.maximum(away, 0.05)[core]
    return marks, sides


def _shown(random: Random, kept: _Kept, place: int) -> tuple[Floats, Floats]:
    """Show a mark's place as the finder may have found it, a little off."""
    box = kept.scene.boxes[place : place + 1]
    off = random.choice((0.03, 0.06, 0.1))
    size = box[:, 2:] - box[:, :2]
    wrong = np.array([random.gauss(0, off) for _ in range(4)], np.float32)
    shown = box + np.concatenate((size * wrong[:2], size * wrong[2:]), axis=1)
    return crops(kept.scene.planes, shown)[0], moves_to(shown, box)[0]


def _enrolled(random: Random, kept: _Kept, place: int) -> Floats:
    """Show the mark as it is enrolled; the few views made are used in turn while the scene is in the pool."""
    views = kept.views.setdefault(place, [])
    if len(views) < _N_VIEWS:
        rgba = tinted(kept.scene.marks[place], kept.scene.tints[place])
        width, levels = random.choice((*VIEW_WIDTHS_PX[:2], *VIEW_WIDTHS_PX)), random.choice(_LEVELS)
        views.append(view(rgba, width=width, opacity=random.uniform(0.45, 1.0), levels=levels, seed=random.getrandbits(30)))
        return views[-1]
    return random.choice(views)


def _changed(random: Random, seen: Floats, enrolled: Floats, moves: Floats) -> tuple[Floats, Floats, Floats]:
    """Mirror and recolour a pair alike: it becomes a pair of another mark, so that each mark stands for many."""
    pair = np.stack((seen, enrolled))
    moves = moves.copy()
    if random.random() < 0.4:
        pair, moves[0] = pair[:, :, :, ::-1].copy(), -moves[0]
    if random.random() < 0.25:
        pair, moves[1] = pair[:, :, ::-1].copy(), -moves[1]
    for plane, chance in ((0, 0.15), (1, 0.25), (2, 0.25)):
        if random.random() < chance:
            pair[:, plane] = (_LUMA_ENDS if plane == 0 else 256.0) - pair[:, plane]
    if random.random() < 0.25:
        pair[:, [1, 2]] = pair[:, [2, 1]]
    return pair[0], pair[1], moves


def _none(random: Random, kept: _Kept) -> tuple[Floats, float]:
    """Show a place with no mark: scenery, something else that stands there, or a mark badly framed."""
    scene = kept.scene
    if len(scene.unclear) and random.random() < 0.4:
        box = scene.unclear[random.randrange(len(scene.unclear))][None]
        return crops(scene.planes, box)[0], -1.0
    height, width = scene.planes.luma.shape
    for _ in range(20):
        across = random.uniform(50, 320)
        tall = across * random.choice((1.0, 0.6, 0.4, 0.25, 0.18))
        if len(scene.boxes) and random.random() < 0.4:
            near = scene.boxes[random.randrange(len(scene.boxes))]
            left, top = random.uniform(near[0] - across, near[2]), random.uniform(near[1] - tall, near[3])
        else:
            left, top = random.uniform(0, width - across), random.uniform(0, height - tall)
        box = np.array([[left, top, left + across, top + tall]], np.float32)
        if not len(scene.boxes) or overlaps(box, scene.boxes).max() < 0.25:
            return crops(scene.planes, box)[0], 0.0
    return crops(scene.planes, box)[0], -1.0
