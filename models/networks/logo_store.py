"""Scenes on the device that trains, the newest of them, and batches for both networks drawn from them without a stop.

A scene's planes stay packed; each of its marks is kept as several views of it enrolled. Which scenes are drawn is decided on the
host, everything else happens on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.logo_cache import Stored
from models.logo_codec import CROP_HEIGHT_PX, CROP_WIDTH_PX, N_CROP, N_PACKED, Bytes, Floats, packed
from models.logo_renderings import VIEW_WIDTHS_PX, tinted
from models.networks.logo_device import Sprites, views_of

MOST_MARKS, MOST_UNCLEAR = 12, 8
"""Of a scene that are kept."""
SHEET_PX = (112, 224)
"""Rows and columns of the sheet that a mark is enrolled from."""
N_VIEWS = 6
"""Of each mark, two at each of the widths that serving enrols at."""


@dataclass(frozen=True, slots=True, eq=False)
class Picked:
    """Marks that were drawn: where they are seen, and how they are enrolled."""

    looks: Tensor
    """Scenes, (n,)."""
    boxes: Tensor
    """(n, 4)."""
    views: Tensor
    """uint8, (n, k, 6, 40, 96)."""
    seeds: Tensor
    """(n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A scene as it goes to the device; made on whatever thread has the time."""

    planes: Bytes
    """Packed, (8, H / 2, W / 2)."""
    boxes: Floats
    """Of the marks that are kept, (n, 4)."""
    unclear: Floats
    """(m, 4)."""
    seeds: tuple[int, ...]
    sheets: Bytes
    """The marks in the colours they are seen in, (n, 4, 112, 224)."""
    sizes: Floats
    """Height and width of each on its sheet, (n, 2)."""


def prepared(scene: Stored) -> Prepared:
    """Make a stored scene ready for the device."""
    n = min(len(scene.seeds), MOST_MARKS)
    marks = [tinted(mark, tint) for mark, tint in zip(scene.marks[:n], scene.tints[:n], strict=True)]
    sheets, sizes = np.zeros((n, 4, *SHEET_PX), np.uint8), np.ones((n, 2), np.float32)
    for at, rgba in enumerate(marks):
        shown = rgba[: SHEET_PX[0], : SHEET_PX[1]]
        sheets[at, :, : shown.shape[0], : shown.shape[1]] = shown.transpose(2, 0, 1)
        sizes[at] = shown.shape[:2]
    return Prepared(packed(scene.planes), scene.boxes[:n], scene.unclear[:MOST_UNCLEAR], scene.seeds[:n], sheets, sizes)


class DeviceScenes:
    """A ring of scenes of one size; one thread adds and draws."""

    def __init__(self, capacity: int, size: tuple[int, int], device: torch.device, *, seed: int = 0) -> None:
        """Take the room.

        Args:
            capacity: scenes; the oldest makes room for the newest.
            size: rows and columns of the packed planes.
            device: that trains.
            seed: of what is drawn.
        """
        self.device = device
        self.planes = torch.zeros((capacity, N_PACKED, *size), dtype=torch.uint8, device=device)
        self.boxes = np.zeros((capacity, MOST_MARKS, 4), np.float32)
        self.unclear = np.zeros((capacity, MOST_UNCLEAR, 4), np.float32)
        self._seeds = np.full((capacity, MOST_MARKS), -1, np.int64)
        self._views = torch.zeros(
            (capacity * MOST_MARKS, N_VIEWS, N_CROP, CROP_HEIGHT_PX, CROP_WIDTH_PX), dtype=torch.uint8, device=device
        )
        self._dice = torch.Generator(device).manual_seed(seed)
        self._marks = np.zeros(0, np.int64)
        self.n_added = 0

    def __len__(self) -> int:
        return min(self.n_added, len(self.planes))

    @property
    def n_marks(self) -> int:
        """Marks that can be drawn."""
        return len(self._marks)

    def add(self, scenes: Sequence[Prepared]) -> None:
        """Take scenes in."""
        rows: list[int] = []
        for scene in scenes:
            at = self.n_added % len(self.planes)
            self.n_added += 1
            n = len(scene.seeds)
            self.planes[at] = self.put(scene.planes)
            self.boxes[at] = self.unclear[at] = 0.0
            self._seeds[at] = -1
            self.boxes[at, :n], self.unclear[at, : len(scene.unclear)] = scene.boxes, scene.unclear
            self._seeds[at, :n] = scene.seeds
            rows += range(at * MOST_MARKS, at * MOST_MARKS + n)
        self._marks = np.flatnonzero(self._seeds.ravel() >= 0)
        if rows:
            sprites = Sprites(
                *(self.put(np.concatenate(parts)) for parts in zip(*((s.sheets, s.sizes) for s in scenes), strict=True))
            )
            self._enrol(sprites, torch.tensor(rows, device=self.device))

    def scenes(self, random: np.random.Generator, n: int) -> NDArray[np.int64]:
        """Draw numbers of scenes."""
        return random.integers(len(self), size=n)

    def pick(self, random: np.random.Generator, n: int, *, n_views: int) -> Picked:
        """Draw marks, each once, in runs of neighbours: marks of one family stand side by side.

        Args:
            random: decides.
            n: marks; fewer where there are not as many.
            n_views: of each, no more than `N_VIEWS`.
        """
        starts = random.integers(len(self._marks), size=(n + 2) // 3 + 8)
        runs = (starts[:, None] + np.arange(3)).ravel() % len(self._marks)
        rows = self._marks[np.unique(runs)]
        rows = random.permutation(rows[np.unique(self._seeds.ravel()[rows], return_index=True)[1]])[:n]
        which = random.permuted(np.tile(np.arange(N_VIEWS), (len(rows), 1)), axis=1)[:, :n_views]
        mine = self.put(rows)
        return Picked(
            self.put(rows // MOST_MARKS),
            self.put(self.boxes.reshape(-1, 4)[rows]),
            self._views[mine[:, None], self.put(which)],
            self.put(self._seeds.ravel()[rows]),
        )

    def put(self, array: NDArray[np.generic]) -> Tensor:
        """Bring numbers to the device without waiting for it."""
        host = torch.from_numpy(np.ascontiguousarray(array))
        return host.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else host

    def _enrol(self, sprites: Sprites, rows: Tensor) -> None:
        for at in range(N_VIEWS):
            width = VIEW_WIDTHS_PX[at % len(VIEW_WIDTHS_PX)]
            self._views[rows, at] = views_of(sprites, width=width, dice=self._dice).round().to(torch.uint8)
