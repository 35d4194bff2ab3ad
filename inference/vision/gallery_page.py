"""Titles in force as numbers: which of them a picture looks most like, and how surely. Pure; one immutable page at a time.

Looks are centred by the mean of ordinary frames and brought to unit length, so that what all pictures share counts for nothing. How
near is near enough differs from title to title: a title of few colours is near to much. So each title's cosines are laid on one
scale by two things known of it: how near ordinary frames come to it, and how near its own pictures are to one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Looks = NDArray[np.float32]
"""Numbers of pictures as an eye gives them, float32, shape (n, d)."""

NEAR, WORTH_A_LOOK, OWN, SUREST = 0.4, 0.6, 0.8, 0.84
"""Scores that the known nearnesses are laid on: as near as ordinary frames come at most; a share of the way on, which is where a
policy's review begins; as its own pictures mostly are; and all the same. The surest look stays below what policies block at: a game
with the same background comes as near as the title itself (benchmarks/README.md); very pictures are told by hash."""
REVIEW_SHARE = 0.25
"""Where a review begins between how near ordinary frames come (0) and how near its own pictures are (1). Of those two, streams show
the title's pictures distorted, and so from further away than they are to one another."""
FLOOR = 0.3
"""Score below which nothing is reported."""
_STRANGERS = 0.99
"""Of ordinary frames, this share is further away than what counts as near."""
_LEAST_NEAR = 0.2
"""Cosine below which nothing is near, however far ordinary frames are: few of them are known."""
_DISTINCT = 0.1
"""How much nearer its own pictures must be than ordinary frames, cosine."""
_PASSED = 0.1
"""Share of ordinary frames that may be the title's own, from before it was enrolled."""
_FELLOW = 0.6
"""How near the pictures of a title of one picture are taken to be."""


@dataclass(frozen=True, slots=True, eq=False)
class TitleLooks:
    """What a title was taught with, in numbers."""

    shown: Looks
    """Its own pictures, shape (n, d)."""
    against: Looks
    """Pictures that look like it and are not, shape (m, d)."""
    poor: Looks = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Its own pictures as a poor stream shows them, in order, shape (n, d); may be left out."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a title's cosines become scores."""

    near: float
    """Cosine that ordinary frames stay below: score `NEAR`."""
    own: float
    """Cosine between its own pictures, mostly: score `OWN`."""

    def score(self, cosine: float) -> float:
        """Lay a cosine on the scale, 0..1."""
        review = self.near + REVIEW_SHARE * (self.own - self.near)
        return float(np.interp(cosine, [0.0, self.near, review, self.own, 1.0], [0.0, NEAR, WORTH_A_LOOK, OWN, SUREST]))

    @property
    def distinct(self) -> bool:
        """False where ordinary frames are as near to the title as its own pictures: it cannot be told by looks."""
        return self.own - self.near >= _DISTINCT


@dataclass(frozen=True, slots=True)
class Likeness:
    """The title a picture looks most like."""

    place: int
    """Which of the page's titles."""
    picture: int
    """Which of the title's pictures is nearest."""
    cosine: float
    score: float
    """Calibrated, 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class GalleryPage:
    """Titles of one moment, ready to be compared with."""

    scales: tuple[Scale, ...] = ()
    """Of each title, in order."""
    middle: Looks = field(default_factory=lambda: np.zeros((1, 0), np.float32))
    """Mean of ordinary frames, shape (1, d)."""
    units: Looks = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Unit looks of every title's pictures, those as a poor stream shows them after the others, title by title, shape (n, d)."""
    starts: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """Where each title begins in `units`."""
    n_pictures: tuple[int, ...] = ()
    """Of each title."""
    against: tuple[Looks, ...] = ()
    """Unit looks of each title's counter-examples."""

    def __repr__(self) -> str:
        return f"GalleryPage({len(self.scales)} titles, {len(self.units)} pictures)"

    def likeness(self, look: NDArray[np.float32]) -> Likeness | None:
        """Find the title a picture looks most like by score; None where it is like none or nearer to a counter-example.

        Args:
            look: as the eye gives it, shape (d,).
        """
        if not self.scales:
            return None
        unit = unit_of(look[None], self.middle)[0]
        cosines = self.units @ unit
        nearest = np.maximum.reduceat(cosines, self.starts)
        scored = [scale.score(float(cosine)) for scale, cosine in zip(self.scales, nearest, strict=True)]
        place = int(np.argmax(scored))
        against = self.against[place]
        if scored[place] < FLOOR or (len(against) and float((against @ unit).max()) >= nearest[place]):
            return None
        end = self.starts[place + 1] if place + 1 < len(self.starts) else len(cosines)
        picture = int(cosines[self.starts[place] : end].argmax()) % self.n_pictures[place]
        return Likeness(place, picture, float(nearest[place]), scored[place])


def unit_of(looks: Looks, middle: Looks) -> Looks:
    """Centre looks and bring them to unit length, (n, d)."""
    centred = looks - middle
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, 1e-6), np.float32)


def page_of(titles: Sequence[TitleLooks], ordinary: Looks) -> GalleryPage:
    """Write a page.

    Args:
        titles: in the order of the answer; each with at least one picture.
        ordinary: looks of ordinary frames, shape (n, d).
    """
    if not titles:
        return GalleryPage()
    # Without ordinary frames the titles themselves stand for what pictures share, if there are several.
    known = ordinary if len(ordinary) > 1 else np.concatenate([title.shown for title in titles])
    middle = (
        known.mean(axis=0, keepdims=True) if len(ordinary) > 1 or len(titles) > 1 else np.zeros((1, known.shape[1]), np.float32)
    )
    strangers = unit_of(ordinary, middle)
    every = [np.concatenate([title.shown, title.poor]) if len(title.poor) else title.shown for title in titles]
    units = [unit_of(looks, middle) for looks in every]
    starts = np.cumsum([0, *(len(one) for one in units[:-1])])
    against = tuple(
        unit_of(title.against, middle) if len(title.against) else np.zeros((0, middle.shape[1]), np.float32) for title in titles
    )
    n_pictures = tuple(len(title.shown) for title in titles)
    scales = tuple(scale_of(own[:n], own, strangers) for own, n in zip(units, n_pictures, strict=True))
    return GalleryPage(scales, middle, np.concatenate(units), starts.astype(np.intp), n_pictures, against)


def scale_of(own: Looks, every: Looks, strangers: Looks) -> Scale:
    """Learn a title's scale.

    Args:
        own: unit looks of its pictures, shape (n, d).
        every: those and what else it is known by.
        strangers: unit looks of ordinary frames, shape (m, d).
    """
    among = own @ own.T
    np.fill_diagonal(among, -1.0)
    fellows = among.max(axis=1) if len(own) > 1 else np.full(1, _FELLOW)
    typical = float(np.median(fellows))
    nearest = (strangers @ every.T).max(axis=1) if len(strangers) else np.zeros(0, np.float32)
    # Frames of the title itself may have passed as ordinary before it was enrolled; if many are as near, the title is ordinary.
    alike = nearest >= np.quantile(fellows, 0.1)
    ordinary = nearest[~alike] if alike.sum() <= _PASSED * len(nearest) else nearest
    near = min(max(float(np.quantile(ordinary, _STRANGERS)) if len(ordinary) else 0.0, _LEAST_NEAR), 0.95)
    return Scale(near, max(typical, near + 0.04))
