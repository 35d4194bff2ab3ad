"""Overlays of one room over several looks: what stays at its place or looks the same is one, and surer than on any look alone.

Numpy only, and no clock: whoever calls says when a look was. Names of logos are not known here; what is gathered is compared with
the enrolled ones like a single look is (`logo_matching.matches_of`), so that a logo enrolled meanwhile profits from earlier looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.logo_boxes import overlaps
from models.logo_codec import Floats
from models.logo_matching import N_NUMBERS, Seen

KEPT_S = 45.0
"""A place that was not seen for so long begins anew, seconds."""
APART_S = 3.0
"""Nearer looks share most of their frames and count as one, seconds."""
MOST_KEPT = 4
"""Looks that are averaged: a logo that takes turns with another one at its place is itself again after as many."""
MOST_TRACKS = 64
"""Overlays of a room at once; overflow rule: those seen longest ago are forgotten."""
SAME_PLACE = 0.5
"""Intersection over union with the box before."""
SAME_LOOK = 0.3
"""Cosine with the embedding before; another logo at the same place is another one."""
SAME_ELSEWHERE, SAME_SIZE = 0.6, 1.6
"""Cosine, and the most that a side may have grown or shrunk, by which an overlay at another place is one that moved there."""
STANDS_STILL = 0.7
"""Intersection over union with the median box above which an overlay has not moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """An overlay on one look."""

    box: Floats
    """Left, top, right, bottom, pixels of luma, shape (4,)."""
    numbers: Floats
    """Embedding, shape (128,)."""
    place: float
    whole: float


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One overlay over time."""

    sightings: tuple[Sighting, ...]
    """The last ones, oldest first."""
    n_looks: int
    """Looks it was on that were far enough apart."""
    counted_s: float
    """When the last of those was, seconds of the session's timeline."""
    seen_s: float
    """When it was seen last."""


def followed(tracks: Sequence[Track], seen: Seen, pts_s: float) -> tuple[Track, ...]:
    """Go on with what is known of a room by one more look.

    Args:
        tracks: of the looks before.
        seen: on this one, likeliest first.
        pts_s: when it was, seconds of the session's timeline, not before the last one.

    Returns:
        the overlays of this look in the order of `seen`, then those of earlier looks that may come back.
    """
    sightings = [
        Sighting(seen.boxes[at], seen.numbers[at], float(seen.places[at]), float(seen.wholes[at])) for at in range(len(seen.boxes))
    ]
    waiting = [track for track in tracks if pts_s - track.seen_s <= KEPT_S]
    own: dict[int, Track] = {}
    for choose in (_at_place, _elsewhere):  # what stayed first, or something like it that is new would take its past
        for at, sighting in enumerate(sightings):
            before = choose(waiting, sighting) if waiting and at not in own else None
            if before is not None:
                waiting.remove(before)
                own[at] = before
    found = [
        _longer(own[at], sighting, pts_s) if at in own else Track((sighting,), 1, pts_s, pts_s)
        for at, sighting in enumerate(sightings)
    ]
    return (*found, *waiting)[:MOST_TRACKS]  # in the order of when they were seen


def gathered(tracks: Sequence[Track]) -> Seen:
    """Average each overlay over its looks, whole ones counting more; its box is the median where it stands still, else the last."""
    if not tracks:
        none = np.zeros(0, np.float32)
        return Seen(np.zeros((0, 4), np.float32), none, none, np.zeros((0, N_NUMBERS), np.float32))
    return Seen(
        np.stack([_box(track.sightings) for track in tracks]),
        np.array([np.mean([one.place for one in track.sightings]) for track in tracks], np.float32),
        np.array([np.mean([one.whole for one in track.sightings]) for track in tracks], np.float32),
        np.stack([_mean(track.sightings) for track in tracks]),
        np.array([track.n_looks for track in tracks], np.float32),
    )


def _at_place(waiting: Sequence[Track], sighting: Sighting) -> Track | None:
    """Choose the overlay that this one covers most of, if it looks the same."""
    alike, shares = _likeness(waiting, sighting), overlaps(sighting.box[None], _last_boxes(waiting))[0]
    shares = np.where(alike >= SAME_LOOK, shares, 0.0)
    best = int(shares.argmax())
    return waiting[best] if shares[best] >= SAME_PLACE else None


def _elsewhere(waiting: Sequence[Track], sighting: Sighting) -> Track | None:
    """Choose the overlay that looks most like this one, of about its size."""
    boxes = _last_boxes(waiting)
    growth = (boxes[:, 2:] - boxes[:, :2]) / np.maximum(sighting.box[2:] - sighting.box[:2], 1.0)
    sized = (np.maximum(growth, 1.0 / np.maximum(growth, 1e-3)) <= SAME_SIZE).all(axis=1)
    alike = np.where(sized, _likeness(waiting, sighting), -1.0)
    best = int(alike.argmax())
    return waiting[best] if alike[best] >= SAME_ELSEWHERE else None


def _likeness(waiting: Sequence[Track], sighting: Sighting) -> Floats:
    alike: Floats = np.stack([track.sightings[-1].numbers for track in waiting]) @ sighting.numbers
    return alike


def _last_boxes(waiting: Sequence[Track]) -> Floats:
    return np.stack([track.sightings[-1].box for track in waiting])


def _longer(track: Track, sighting: Sighting, pts_s: float) -> Track:
    sightings = (*track.sightings, sighting)[-MOST_KEPT:]
    if pts_s - track.counted_s < APART_S:
        return Track(sightings, track.n_looks, track.counted_s, pts_s)
    return Track(sightings, track.n_looks + 1, pts_s, pts_s)


def _box(sightings: Sequence[Sighting]) -> Floats:
    median: Floats = np.median([one.box for one in sightings], axis=0).astype(np.float32)
    newest = sightings[-1].box
    return median if overlaps(median[None], newest[None])[0, 0] >= STANDS_STILL else newest


def _mean(sightings: Sequence[Sighting]) -> Floats:
    total = np.sum([(one.whole + 1e-3) * one.numbers for one in sightings], axis=0)
    mean: Floats = (total / max(float(np.linalg.norm(total)), 1e-6)).astype(np.float32)
    return mean
