"""Enrolled marks against what a look shows: the index of their prototypes, and the way from planes to matches.

Numpy only; whoever calls hands in how the two graphs are run. The index is one matrix, so a thousand marks cost one small product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.logo_boxes import moved, places_of
from models.logo_codec import Bytes, Floats, Planes, crops, packed

N_NUMBERS = 128
"""Of an embedding."""

MOST_MARGIN, CLEAR_MARGIN = 0.3, 0.2
"""A larger lead over the next mark says no more; below a clear one each step counts twice: many plain shapes are alike."""
LOOK_WORTH, MOST_LOOKS = 0.05, 3
"""What each further look adds to a score, and how many of them at most."""
WHOLE_WORTH = 0.3
"""What a place that is surely not one whole mark takes from a score."""
PLACE_WORTH = 0.2
"""What is taken from a score where an overlay is one in ten likely: scenery may be like a plain mark by chance."""
MOST_SCORE = 1.0 + MOST_MARGIN + LOOK_WORTH * MOST_LOOKS

CHECKED_FROM = 0.4
"""Cosine with an enrolled mark from which it is asked whether the newest frame shows it, too."""
STILL_THERE = 0.3
"""Cosine of what many frames and the newest alone show of a place below which it is no longer there."""
STRANGERS_FILE = "strangers.npy"
"""Beside the teller's graph: what nobody enrolls, for `MarkIndex`; float16, shape (n, 128), rows of length 1."""

RunFinder = Callable[[Bytes], Floats]
"""Runs the finder: (1, 8, H / 2, W / 2) to (1, 5, h, w)."""
RunTeller = Callable[[Floats], Floats]
"""Runs the teller: (n, 6, 40, 96) to (n, 133)."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """An overlay on a look and the enrolled mark it is most like."""

    mark: str
    likeness: float
    """Cosine with the nearest prototype of that mark, -1..1."""
    margin: float
    """How much less the nearest other mark, enrolled or known to be strange, is alike; at most `MOST_MARGIN`."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of luma."""
    place: float
    """Likelihood of an overlay there, 0..1."""
    whole: float
    """Likelihood that the box frames one mark, 0..1."""
    looks: int = 1
    """Looks that it was gathered from."""

    @property
    def score(self) -> float:
        """What thresholds are laid on: likeness and margin, more with every look, less where a whole overlay is unlikely."""
        further = LOOK_WORTH * min(self.looks - 1, MOST_LOOKS)
        doubt = WHOLE_WORTH * (1.0 - self.whole) - PLACE_WORTH * math.log10(max(self.place, 0.01))
        doubt += max(0.0, CLEAR_MARGIN - self.margin)
        return self.likeness + self.margin + further - doubt


class MarkIndex:
    """Prototypes of all enrolled marks; immutable."""

    def __init__(self, prototypes: Mapping[str, Floats], strangers: Floats | None = None) -> None:
        """Take what is enrolled.

        Args:
            prototypes: of each mark, shape (k, 128) each, rows of length 1, or shorter where they count less.
            strangers: embeddings of things that nobody enrolled, shape (m, 128), rows of length 1: what is as like one of these as
                it is like an enrolled mark is none.
        """
        self._strangers = strangers if strangers is not None else np.zeros((0, N_NUMBERS), np.float32)
        self.names: tuple[str, ...] = tuple(prototypes)
        rows = [prototypes[name] for name in self.names]
        self._matrix = np.concatenate(rows) if rows else np.zeros((0, N_NUMBERS), np.float32)
        self._starts = np.cumsum([0, *(len(row) for row in rows)])[:-1]

    def __len__(self) -> int:
        return len(self.names)

    def likeness(self, numbers: Floats) -> Floats:
        """Compare embeddings, shape (n, 128), with every mark: the best of its prototypes, shape (n, marks)."""
        if not self.names:
            return np.zeros((len(numbers), 0), np.float32)
        alike: Floats = numbers @ self._matrix.T
        best: Floats = np.maximum.reduceat(alike, self._starts, axis=1)
        return best

    def strangeness(self, numbers: Floats) -> Floats:
        """Compare embeddings, shape (n, 128), with the strangers: the most alike of them, shape (n,); -1 where there is none."""
        if not len(self._strangers):
            return np.full(len(numbers), -1.0, np.float32)
        alike: Floats = (numbers @ self._strangers.T).max(axis=1)
        return alike


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The overlays of one look, or of several gathered, before they are compared with anything."""

    boxes: Floats
    """Shape (n, 4)."""
    places: Floats
    """Likelihood of an overlay, shape (n,)."""
    wholes: Floats
    """Likelihood that the box frames one mark, shape (n,)."""
    numbers: Floats
    """Embeddings, shape (n, 128)."""
    looks: Floats | None = None
    """Looks that each was gathered from, shape (n,); None for one each."""

    def only(self, chosen: NDArray[np.bool_]) -> Seen:
        """Keep some of the overlays."""
        looks = self.looks[chosen] if self.looks is not None else None
        return Seen(self.boxes[chosen], self.places[chosen], self.wholes[chosen], self.numbers[chosen], looks)


def see(planes: Planes, run_finder: RunFinder, run_teller: RunTeller, *, most: int = 16, floor: float = 0.1) -> Seen:
    """Find overlays and tell what they show; the boxes are moved once before they are told for good.

    Args:
        planes: of the look.
        run_finder: the finder.
        run_teller: the teller, run twice.
        most: overlays at most.
        floor: least likelihood of an overlay.
    """
    grid = run_finder(packed(planes)[None])[0]
    places = places_of(grid[:1], grid[1:], floor=floor, most=most)
    if not len(places.boxes):
        none = np.zeros(0, np.float32)
        return Seen(places.boxes, none, none, np.zeros((0, N_NUMBERS), np.float32))
    first = run_teller(crops(planes, places.boxes))
    boxes = moved(places.boxes, first[:, N_NUMBERS + 1 :])
    told = run_teller(crops(planes, boxes))
    return Seen(boxes, places.scores, told[:, N_NUMBERS], told[:, :N_NUMBERS])


def to_check(seen: Seen, index: MarkIndex) -> NDArray[np.intp]:
    """Choose the places of many frames that are like an enrolled mark: a mark that jumped is in their median for a while."""
    return np.flatnonzero(index.likeness(seen.numbers).max(axis=1, initial=-1.0) >= CHECKED_FROM)


def still_there(seen: Seen, checked: NDArray[np.intp], told: Floats) -> Seen:
    """Leave out what the newest frame no longer shows.

    Args:
        seen: on many frames.
        checked: places to judge; the others stay.
        told: by the teller, of those places on the newest frame alone, shape (len(checked), 133).
    """
    kept = np.ones(len(seen.boxes), np.bool_)
    kept[checked] = np.einsum("ij,ij->i", seen.numbers[checked], told[:, :N_NUMBERS]) >= STILL_THERE
    return seen.only(kept)


def matches_of(seen: Seen, index: MarkIndex, *, floor: float = 0.3) -> list[Match]:
    """Name the mark that each overlay is most like, where it is at least a little alike.

    Args:
        seen: of one look.
        index: what is enrolled.
        floor: least cosine.
    """
    alike = index.likeness(seen.numbers)
    strange = index.strangeness(seen.numbers)
    out = []
    for at, row in enumerate(alike):
        best = int(row.argmax()) if len(row) else -1
        if best < 0 or row[best] < floor:
            continue
        rival = max(float(np.delete(row, best).max(initial=-1.0)), float(strange[at]))
        left, top, right, bottom = (float(side) for side in seen.boxes[at])
        out.append(
            Match(
                index.names[best],
                float(row[best]),
                min(float(row[best]) - rival, MOST_MARGIN),
                (left, top, right, bottom),
                float(seen.places[at]),
                float(seen.wholes[at]),
                int(seen.looks[at]) if seen.looks is not None else 1,
            )
        )
    return out
