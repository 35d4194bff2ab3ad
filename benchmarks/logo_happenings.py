"""Twenty seconds of made-up stream at a time, with one mark, a strange one or none: what `bench_logo` looks at.

Marks, fonts and frames are of the test side of the split in `models/`, drawn anew from a seed; the encoder is real.
"""

from __future__ import annotations

from dataclasses import dataclass
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
LOOKS_FROM = (0, 11, 22, 33)
"""First frame of each look."""
_BENCH_MARKS = 800_000_000
"""First number of the marks drawn here: neither training nor evaluation draws from there."""


@dataclass(frozen=True, slots=True)
class Laid:
    """The mark on a happening."""

    number: int
    box: tuple[float, float, float, float]
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

    looks: tuple[tuple[Bytes, ...], ...]
    """I420 frames of each look."""
    laid: Laid | None
    rate_factor: int


def mark_rgba(number: int) -> Bytes:
    """Draw a mark by its number: those from 0 up may be enrolled, those from 1,000,000 up are strangers."""
    return draw_mark(mark_seed(_BENCH_MARKS + number, Part.TEST)).rgba


def draw_happening(seed: int, footage: Footage, number: int | None) -> Happening:
    """Make one.

    Args:
        seed: of scenery, place and look of the mark.
        footage: of the test side.
        number: of the mark on it; None for none.
    """
    random = Random(seed)
    n = LENGTH_S * HZ
    frames = scenery(random, footage, n)
    things = draw_clutter(random, Part.TEST, n, (WIDTH_PX, HEIGHT_PX))
    laid = picture = None
    if number is not None:
        laid, picture = _lay(random, number)
    for at, frame in enumerate(frames):
        for thing in things:
            if thing.frames is None or at in thing.frames:
                lay_picture(frame, thing.rgba, int(thing.left + thing.pace[0] * at), int(thing.top + thing.pace[1] * at))
        if laid is not None and picture is not None:
            lay_picture(frame, picture, int(laid.box[0]), int(laid.box[1]), opacity=laid.opacity)
    rate_factor = random.randint(23, 32)
    decoded = through_codec(frames, rate_factor=rate_factor, hz=HZ)
    return Happening(tuple(tuple(decoded[first : first + N_FRAMES]) for first in LOOKS_FROM), laid, rate_factor)


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
