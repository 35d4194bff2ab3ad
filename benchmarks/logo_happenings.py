"""Twenty seconds of made-up stream at a time, with one mark, a strange one or none: what `bench_logo` looks at.

Marks, fonts and frames are of the test side of the split in `models/`, drawn anew from a seed; the encoder is real. Looks are four
seconds apart, as the shipped policy has them, and see what the detector would have kept by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

import numpy as np

from models.logo_clutter import draw_clutter
from models.logo_codec import N_FRAMES, Bytes
from models.logo_fonts import Part
from models.logo_footage import HEIGHT_PX, WIDTH_PX, Footage
from models.logo_marks import draw_mark, mark_seed
from models.logo_renderings import Tint, scaled, tinted
from models.logo_scenes import distorted, lay_picture, scenery, through_codec

LENGTH_S = 20
HZ = 2
"""Frames a second that are encoded; looks take them from there."""
LOOK_S = 4.0
LOOKS = range(0, LENGTH_S * HZ, int(LOOK_S * HZ))
"""Frame of each look."""
_N_MEDIAN = 10
"""Frames whose median the classical way looks at."""
_BENCH_MARKS = 800_000_000
"""First number of the marks drawn here: neither training nor evaluation draws from there."""
_DRIFT_PX = 8
"""Pixels a second."""
_JUMP_S = 6.0
_COVERED = 0.3
"""Share of a covered mark's width."""


class Motion(StrEnum):
    """What a mark does."""

    STILL = "still"
    DRIFTS = "drifts"
    JUMPS = "jumps"
    """To another corner every six seconds."""
    COVERED = "covered"
    """By a plate at one side."""


Rect = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Laid:
    """The mark on a happening."""

    number: int
    box: Rect
    """On the first frame."""
    width_share: float
    opacity: float
    tint: Tint
    turned: bool

    @property
    def grade(self) -> str:
        """`easy` for a width of 7 % and more and an opacity of 0.6 and more, else `hard`."""
        return "easy" if self.width_share >= 0.07 and self.opacity >= 0.6 else "hard"


@dataclass(frozen=True, slots=True, eq=False)
class Happening:
    """One stretch of stream."""

    frames: tuple[Bytes, ...]
    """I420, decoded."""
    laid: Laid | None
    places: tuple[Rect, ...]
    """Where the mark is on each frame; none where there is no mark."""
    rate_factor: int

    def recent(self, number: int) -> list[Bytes]:
        """What the detector holds at a look: the frames of the last looks, this one's last."""
        return [self.frames[at] for at in LOOKS[: number + 1]][-N_FRAMES:]

    def median(self, number: int) -> tuple[Bytes, ...]:
        """What the classical way takes for a look: neighbouring frames around it."""
        first = min(max(0, LOOKS[number] - _N_MEDIAN // 2), len(self.frames) - _N_MEDIAN)
        return self.frames[first : first + _N_MEDIAN]


def mark_rgba(number: int) -> Bytes:
    """Draw a mark by its number: those from 0 up may be enrolled, those from 1,000,000 up are strangers."""
    return draw_mark(mark_seed(_BENCH_MARKS + number, Part.TEST)).rgba


def draw_happening(seed: int, footage: Footage, number: int | None, motion: Motion = Motion.STILL) -> Happening:
    """Make one.

    Args:
        seed: of scenery, place and look of the mark.
        footage: of the test side.
        number: of the mark on it; None for none.
        motion: what the mark does.
    """
    random = Random(seed)
    n = LENGTH_S * HZ
    frames = scenery(random, footage, n)
    things = draw_clutter(random, Part.TEST, n, (WIDTH_PX, HEIGHT_PX))
    laid = picture = None
    places: list[Rect] = []
    if number is not None:
        laid, picture = _lay(random, number)
        places = [_moved(laid.box, motion, at / HZ) for at in range(n)]
    for at, frame in enumerate(frames):
        for thing in things:
            if thing.frames is None or at in thing.frames:
                lay_picture(frame, thing.rgba, int(thing.left + thing.pace[0] * at), int(thing.top + thing.pace[1] * at))
        if laid is not None and picture is not None:
            lay_picture(frame, picture, int(places[at][0]), int(places[at][1]), opacity=laid.opacity)
            if motion is Motion.COVERED:
                _cover(frame, places[at], seed)
    rate_factor = random.randint(23, 32)
    return Happening(tuple(through_codec(frames, rate_factor=rate_factor, hz=HZ)), laid, tuple(places), rate_factor)


def _lay(random: Random, number: int) -> tuple[Laid, Bytes]:
    rgba = mark_rgba(number)
    ratio = rgba.shape[0] / rgba.shape[1]
    share = 0.04 * (0.25 / 0.04) ** random.random()
    width = min(share * WIDTH_PX, 0.35 * HEIGHT_PX / ratio)
    tint = random.choices(tuple(Tint), (0.75, 0.15, 0.1))[0]
    picture = scaled(tinted(rgba, tint), max(8, round(width)), max(6, round(width * ratio)))
    turned = random.random() < 0.15
    if turned:
        picture = distorted(random, picture)
    height, width_px = picture.shape[:2]
    room = (WIDTH_PX - width_px, HEIGHT_PX - height)
    if random.random() < 0.75:
        inset = (random.randint(8, 70), random.randint(8, 60))
        left = inset[0] if random.random() < 0.5 else room[0] - inset[0]
        top = inset[1] if random.random() < 0.5 else room[1] - inset[1]
    else:
        left, top = random.randint(0, room[0]), random.randint(0, room[1])
    left, top = int(np.clip(left, 0, room[0])), int(np.clip(top, 0, room[1]))
    box = (float(left), float(top), float(left + width_px), float(top + height))
    return Laid(number, box, width_px / WIDTH_PX, random.uniform(0.4, 1.0), tint, turned), picture


def _moved(box: Rect, motion: Motion, after_s: float) -> Rect:
    """Say where a mark is some seconds later."""
    width, height = box[2] - box[0], box[3] - box[1]
    room = (WIDTH_PX - width, HEIGHT_PX - height)
    left, top = box[0], box[1]
    if motion is Motion.DRIFTS:
        left = float(np.clip(left + (1 if left < room[0] / 2 else -1) * int(_DRIFT_PX * after_s), 0, room[0]))
    elif motion is Motion.JUMPS:
        corner = (int(after_s / _JUMP_S) + (left > room[0] / 2) + 2 * (top > room[1] / 2)) % 4
        inset = (min(left, room[0] - left), min(top, room[1] - top))
        left = inset[0] if corner % 2 == 0 else room[0] - inset[0]
        top = inset[1] if corner < 2 else room[1] - inset[1]
    return (left, top, left + width, top + height)


def _cover(frame: Bytes, box: Rect, seed: int) -> None:
    width, height = int(box[2] - box[0]), int(box[3] - box[1])
    plate = np.full((height, max(2, int(width * _COVERED)), 4), (70, 90, 60, 255), np.uint8)
    left = int(box[0]) if seed % 2 else int(box[0]) + width - plate.shape[1]
    lay_picture(frame, plate, left, int(box[1]))
