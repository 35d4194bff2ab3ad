"""Made-up games: a *title* has colours, sprites, a way of drawing and a HUD of its own; its *levels* are pictures of it in play.

What a picture network learns from beside real frames, where which pictures belong together is known; tests and benchmarks draw from
it as well. Everything comes from seeds, the same seeds draw the same pixels.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

SIZE = (480, 270)
"""Width and height of a level's picture."""
N_COLOURS = 8
"""Colours of a title: ground tones first, then those of its sprites."""
LEVELS_A_WORLD = 4
"""Levels that have the same ground tones."""
_CELL_PX = (12, 20, 30, 44)
"""Sizes of a title's tiles."""


@dataclass(frozen=True, slots=True, eq=False)
class Title:
    """One made-up game."""

    seed: int
    view: str
    """How it is drawn: a name of `VIEWS`."""
    colours: NDArray[np.uint8]
    """RGB, shape (N_COLOURS, 3)."""
    sprites: tuple[Pixels, ...]
    """Index pictures, shape (n, n): 0 is nothing, else a colour's number + 1."""
    cell_px: int
    _hud: int = field(default=0)

    @classmethod
    def of(cls, seed: int) -> Title:
        """Make up a title."""
        rng = np.random.default_rng((seed, 1))
        view = list(VIEWS)[int(rng.integers(len(VIEWS)))]
        return cls(
            seed, view, _colours(rng), tuple(_sprite(rng) for _ in range(10)), int(rng.choice(_CELL_PX)), int(rng.integers(6))
        )

    def level(self, number: int) -> Pixels:
        """Draw a picture of play, RGB uint8 (270, 480, 3)."""
        rng = np.random.default_rng((self.seed, 2, number))
        canvas = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        title = replace(self, colours=self._tinted(number // LEVELS_A_WORLD))
        VIEWS[self.view](title, canvas, rng)
        title._draw_hud(canvas, rng)
        return canvas

    def _tinted(self, world: int) -> NDArray[np.uint8]:
        """Colours of a world: the first has the title's own, in others the ground tones differ."""
        if world == 0:
            return self.colours
        rng = np.random.default_rng((self.seed, 3, world))
        colours = self.colours.copy()
        colours[:5] = np.clip(colours[:5] * rng.uniform(0.6, 1.4, 3) + rng.normal(0, 12, 3), 0, 255).astype(np.uint8)
        return colours

    def stamp(self, canvas: Pixels, sprite: int, at: tuple[int, int], side_px: int) -> None:
        """Put a sprite down with its upper left corner at (x, y)."""
        cells = cv2.resize(self.sprites[sprite % len(self.sprites)], (side_px, side_px), interpolation=cv2.INTER_NEAREST)
        x, y = at
        left, top = max(0, -x), max(0, -y)
        room = canvas[max(0, y) : y + side_px, max(0, x) : x + side_px]
        cells = cells[top : top + room.shape[0], left : left + room.shape[1]]
        shown = cells > 0
        room[: cells.shape[0], : cells.shape[1]][shown] = self.colours[cells[shown] - 1]

    def colour(self, number: int) -> tuple[int, int, int]:
        """Return a colour as OpenCV wants it."""
        red, green, blue = (int(part) for part in self.colours[number % N_COLOURS])
        return red, green, blue

    def _draw_hud(self, canvas: Pixels, rng: np.random.Generator) -> None:
        """Draw bars, a map or counters where this title has them; what they show differs from level to level."""
        width, height = SIZE
        if self._hud in (1, 4):
            cv2.rectangle(canvas, (0, height - 30), (width, height), self.colour(0), -1)
            for slot in range(6):
                self.stamp(canvas, slot, (10 + slot * 40, height - 27), 24)
        if self._hud in (2, 4):
            for row in range(2):
                long = int(rng.integers(20, 110))
                cv2.rectangle(canvas, (8, 8 + row * 12), (118, 16 + row * 12), (20, 20, 20), -1)
                cv2.rectangle(canvas, (8, 8 + row * 12), (8 + long, 16 + row * 12), self.colour(5 + row), -1)
        if self._hud in (3, 5):
            cv2.rectangle(canvas, (width - 74, 6), (width - 6, 62), self.colour(1), -1)
            for _ in range(12):
                at = (int(rng.integers(width - 70, width - 10)), int(rng.integers(10, 58)))
                cv2.circle(canvas, at, 2, self.colour(6), -1)
        if self._hud in (2, 3):
            number = f"{int(rng.integers(100000)):06d}"
            cv2.putText(canvas, number, (width // 2 - 40, 20), cv2.FONT_HERSHEY_PLAIN, 1.2, self.colour(7), 1)


def _colours(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Choose ground tones near one another and livelier ones for what moves."""
    hue, spread = rng.random(), rng.uniform(0.02, 0.25)
    dark, grey = rng.uniform(0.15, 0.8), rng.uniform(0.1, 0.8)
    rows = []
    for place in range(N_COLOURS):
        near = place < 5
        tone = (hue + rng.normal(0.0, spread)) % 1.0 if near else rng.random()
        full = float(np.clip(grey + rng.normal(0, 0.1), 0, 1)) if near else rng.uniform(0.4, 1.0)
        light = float(np.clip(dark + rng.normal(0, 0.15), 0.05, 1)) if near else rng.uniform(0.5, 1.0)
        rows.append([round(255 * part) for part in colorsys.hsv_to_rgb(tone, full, light)])
    return np.array(rows, np.uint8)


def _sprite(rng: np.random.Generator) -> Pixels:
    """Make a small symmetric figure."""
    side = int(rng.choice((5, 7, 9)))
    half = rng.integers(0, 4, (side, (side + 1) // 2))
    coloured = np.where(half > 0, half + 4 + int(rng.integers(2)), 0)
    return np.concatenate([coloured, coloured[:, : side // 2][:, ::-1]], axis=1).clip(0, N_COLOURS).astype(np.uint8)


def _noise(rng: np.random.Generator, cells: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    """Smooth noise, about -2..2, shape (height, width)."""
    return np.asarray(cv2.resize(rng.standard_normal(cells).astype(np.float32), size, interpolation=cv2.INTER_CUBIC))


def _from_above(title: Title, canvas: Pixels, rng: np.random.Generator) -> None:
    """Tiles seen from above, figures on them."""
    cell = title.cell_px
    across, down = SIZE[0] // cell + 1, SIZE[1] // cell + 1
    ground = np.digitize(_noise(rng, (5, 7), (across, down)), [-0.6, 0.0, 0.6]).astype(np.uint8)
    tiles = cv2.resize(title.colours[ground], (across * cell, down * cell), interpolation=cv2.INTER_NEAREST)
    canvas[:] = tiles[: SIZE[1], : SIZE[0]]
    if title.seed % 2:
        canvas[::cell] = canvas[::cell] // 2
        canvas[:, ::cell] = canvas[:, ::cell] // 2
    for _ in range(int(rng.integers(15, 60))):
        title.stamp(canvas, int(rng.integers(10)), (int(rng.integers(across)) * cell, int(rng.integers(down)) * cell), cell)


def _from_the_side(title: Title, canvas: Pixels, rng: np.random.Generator) -> None:
    """A sky, hills, platforms and figures."""
    width, height = SIZE
    shade = np.linspace(0, 1, height)[:, None]
    canvas[:] = (title.colours[0] * (1 - shade) + title.colours[1] * shade).astype(np.uint8)[:, None]
    for layer in (2, 3):
        tops = (height * (0.3 + 0.2 * layer / 2) + 25 * _noise(rng, (1, 9), (width, 1))[0]).astype(int)
        for x in range(width):
            canvas[max(0, tops[x]) :, x] = title.colours[layer]
    cell = title.cell_px
    for _ in range(int(rng.integers(6, 16))):
        x, y, long = int(rng.integers(width)), int(rng.integers(4, 13)) * height // 14, int(rng.integers(2, 9)) * cell
        cv2.rectangle(canvas, (x, y), (x + long, y + cell), title.colour(4), -1)
        cv2.rectangle(canvas, (x, y), (x + long, y + max(2, cell // 4)), title.colour(5), -1)
        title.stamp(canvas, int(rng.integers(10)), (x + long // 3, y - cell), cell)


def _corridor(title: Title, canvas: Pixels, rng: np.random.Generator) -> None:
    """Walls of a maze from within: columns as high as they are near, darker as they are far, figures in the way."""
    width, height = SIZE
    canvas[: height // 2] = title.colours[0] // 2
    canvas[height // 2 :] = title.colours[1] // 2
    far = np.abs(_noise(rng, (1, 8), (width, 1))[0]) + 0.35
    step = np.repeat(np.digitize(_noise(rng, (1, 14), (width // 6 + 1, 1))[0], [0.0]), 6)[:width]
    for x in range(width):
        tall = int(min(height, height * 0.3 / far[x]))
        top = (height - tall) // 2
        rows = np.arange(tall) * title.cell_px // max(1, tall) % 2
        shade = float(np.clip(0.9 / (0.5 + far[x]), 0.25, 1.0))
        wall = title.colours[2 + step[x]] * shade
        canvas[top : top + tall, x] = np.where(rows[:, None] > 0, wall, wall * 0.8).astype(np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        side = int(rng.integers(20, 90))
        title.stamp(canvas, int(rng.integers(10)), (int(rng.integers(width - side)), (height - side) // 2 + side // 4), side)
    title.stamp(canvas, title.seed, (width // 2 - 40 + int(rng.integers(-8, 8)), height - 90), 90)


def _slanted(title: Title, canvas: Pixels, rng: np.random.Generator) -> None:
    """Diamond tiles and blocks on them, from above at a slant."""
    cell = title.cell_px
    heights = _noise(rng, (5, 5), (64, 64))
    canvas[:] = title.colours[0]
    for down in range(-2, SIZE[1] * 2 // cell + 4):
        for across in range(-1, SIZE[0] // (2 * cell) + 2):
            x, y = across * 2 * cell + (down % 2) * cell, down * cell // 2
            kind = float(heights[down % 64, across % 64])
            points = np.array([[x, y], [x + cell, y + cell // 2], [x, y + cell], [x - cell, y + cell // 2]], np.int32)
            cv2.fillConvexPoly(canvas, points, title.colour(1 + int(kind > -0.4) + int(kind > 0.5)))
            if rng.random() < 0.12:
                title.stamp(canvas, int(rng.integers(10)), (x - cell // 2, y - cell // 3), cell)


def _board(title: Title, canvas: Pixels, rng: np.random.Generator) -> None:
    """A table with cards or pieces in rows."""
    canvas[:] = title.colours[0]
    grain = _noise(rng, (30, 40), SIZE)[..., None] * 5
    canvas[:] = np.clip(canvas + grain, 0, 255).astype(np.uint8)
    wide, tall = title.cell_px + 16, round(title.cell_px * 1.4) + 16
    for _ in range(int(rng.integers(8, 26))):
        x, y = int(rng.integers(SIZE[0] // wide)) * wide, int(rng.integers(SIZE[1] // tall)) * tall
        cv2.rectangle(canvas, (x + 3, y + 3), (x + wide - 4, y + tall - 4), title.colour(4 + title.seed % 2), -1)
        cv2.rectangle(canvas, (x + 3, y + 3), (x + wide - 4, y + tall - 4), title.colour(2), 2)
        title.stamp(canvas, int(rng.integers(10)), (x + 9, y + 9), wide - 18)


VIEWS: dict[str, Callable[[Title, Pixels, np.random.Generator], None]] = {
    "above": _from_above,
    "side": _from_the_side,
    "corridor": _corridor,
    "slanted": _slanted,
    "board": _board,
}
