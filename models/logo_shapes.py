"""Shapes that made-up marks are composed of: masks of discs, rings, stars, blobs, strokes and pictograms, from a random source.

Everything is drawn at one size, `SIDE_PX`, and scaled down by whoever lays it on a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from models.logo_fonts import Part, Script, faces, pick

SIDE_PX = 192
"""Side of an icon's mask; drawn at twice that."""
_FINE = 2 * SIDE_PX

_RANGES = {"awesome": ((0xF000, 0xF2E0),), "": ((0x2600, 0x26FF), (0x2701, 0x27BF), (0x25A0, 0x25FF), (0x2190, 0x21FF))}
_MISSING = "\U0010fffe"

Drawn = Callable[[ImageDraw.ImageDraw, Random], None]


def icon_mask(random: Random, part: Part) -> Image.Image:
    """Draw an icon: a few shapes put together, cut out of each other, mirrored or turned; or a pictogram.

    Returns:
        mode L, 192 by 192 pixels.
    """
    if random.random() < 0.3:
        found = _pictogram(random, part)
        if found is not None:
            return found
    mask = Image.new("L", (_FINE, _FINE), 0)
    for at in range(random.randint(1, 4)):
        layer = Image.new("L", (_FINE, _FINE), 0)
        random.choice(_SHAPES)(ImageDraw.Draw(layer), random)
        cut = at > 0 and random.random() < 0.5
        mask = ImageChops.subtract(mask, layer) if cut else ImageChops.lighter(mask, layer)
    if random.random() < 0.3:
        mask = ImageChops.lighter(mask, mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    elif random.random() < 0.25:
        mask = _turned(mask, random.randint(3, 6))
    filled = np.asarray(mask).mean() / 255
    if not 0.06 < filled < 0.9:
        return icon_mask(random, part)
    return mask.resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)


def frame_mask(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw the body of a badge: a plate, pill, disc or shield that fills the size."""
    width, height = size
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    kind = random.randrange(5 if width < 1.6 * height else 3)
    corner = (height // 2, height // 5, height // 12)[kind] if kind < 3 else 0
    if kind < 3:
        draw.rounded_rectangle((0, 0, width - 1, height - 1), radius=min(corner, width // 2), fill=255)
    elif kind == 3:
        draw.ellipse((0, 0, width - 1, height - 1), fill=255)
    else:
        half, low = width / 2, height * random.uniform(0.5, 0.7)
        draw.polygon([(0, 0), (width, 0), (width, low), (half, height), (0, low)], fill=255)
    return mask


def _turned(mask: Image.Image, n: int) -> Image.Image:
    whole = mask
    for at in range(1, n):
        whole = ImageChops.lighter(whole, mask.rotate(360 * at / n, Image.Resampling.BILINEAR))
    return whole


def _pictogram(random: Random, part: Part) -> Image.Image | None:
    """Write one sign of a symbol font as large as it goes; None where there is no such font or sign."""
    try:
        faces(Script.SYMBOLS, part)
    except FileNotFoundError:
        return None
    face = pick(Script.SYMBOLS, part, random)
    font = face.at(SIDE_PX)
    kind = "awesome" if "awesome" in face.path.lower() else ""
    first, last = random.choice(_RANGES[kind])
    sign = chr(random.randint(first, last))
    box = font.getbbox(sign)
    if box[2] - box[0] < 20 or bytes(font.getmask(sign)) == bytes(font.getmask(_MISSING)):
        return None
    mask = Image.new("L", (int(box[2] - box[0]), int(box[3] - box[1])), 0)
    ImageDraw.Draw(mask).text((-box[0], -box[1]), sign, fill=255, font=font)
    scale = SIDE_PX / max(mask.size)
    return mask.resize((max(8, round(mask.width * scale)), max(8, round(mask.height * scale))), Image.Resampling.LANCZOS)


def _around(random: Random) -> tuple[float, float, float]:
    """Draw centre and reach of a shape."""
    reach = _FINE * random.uniform(0.18, 0.5)
    return random.uniform(reach, _FINE - reach), random.uniform(reach, _FINE - reach), reach


def _disc(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    tall = reach * random.choice((1.0, 1.0, random.uniform(0.4, 1.0)))
    draw.ellipse((x - reach, y - tall, x + reach, y + tall), fill=255)


def _ring(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    thick = max(6, int(reach * random.uniform(0.12, 0.4)))
    start = random.uniform(0, 360)
    draw.arc(
        (x - reach, y - reach, x + reach, y + reach), start, start + random.choice((360, 270, 180, 120)), fill=255, width=thick
    )


def _star(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    n, inner, tilt = random.randint(3, 8), random.uniform(0.35, 0.85), random.uniform(0, math.tau)
    points = [
        (
            x + reach * (1.0 if at % 2 == 0 else inner) * math.cos(tilt + at * math.pi / n),
            y + reach * (1.0 if at % 2 == 0 else inner) * math.sin(tilt + at * math.pi / n),
        )
        for at in range(2 * n)
    ]
    draw.polygon(points, fill=255)


def _polygon(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    n, tilt = random.randint(3, 7), random.choice((-math.pi / 2, random.uniform(0, math.tau)))
    draw.polygon(
        [(x + reach * math.cos(tilt + math.tau * at / n), y + reach * math.sin(tilt + math.tau * at / n)) for at in range(n)],
        fill=255,
    )


def _blob(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    waves = [(k, random.gauss(0, 0.28 / k), random.uniform(0, math.tau)) for k in range(2, 6)]
    points = []
    for at in range(90):
        angle = math.tau * at / 90
        far = reach * (0.8 + sum(size * math.cos(k * angle + phase) for k, size, phase in waves))
        points.append((x + far * math.cos(angle), y + far * math.sin(angle)))
    draw.polygon(points, fill=255)


def _plate(draw: ImageDraw.ImageDraw, random: Random) -> None:
    x, y, reach = _around(random)
    tall = reach * random.uniform(0.25, 1.0)
    sides = (x - reach, y - tall, x + reach, y + tall)
    hollow = random.random() < 0.4
    draw.rounded_rectangle(
        sides, radius=int(tall * random.uniform(0, 1)), fill=None if hollow else 255, outline=255, width=max(5, int(tall * 0.22))
    )


def _stroke(draw: ImageDraw.ImageDraw, random: Random) -> None:
    n = random.randint(3, 5)
    knots = [(random.uniform(0.1, 0.9) * _FINE, random.uniform(0.1, 0.9) * _FINE) for _ in range(n)]
    thick = random.randint(_FINE // 22, _FINE // 9)
    points = [_bezier(knots, at / 40) for at in range(41)]
    draw.line(points, fill=255, width=thick, joint="curve")


def _bars(draw: ImageDraw.ImageDraw, random: Random) -> None:
    n, thick = random.randint(2, 5), random.uniform(0.4, 0.75)
    pitch = _FINE * 0.8 / n
    for at in range(n):
        low = _FINE * random.uniform(0.1, 0.45)
        left = _FINE * 0.1 + at * pitch
        draw.rectangle((left, low, left + pitch * thick, _FINE * 0.9), fill=255)


def _bezier(knots: list[tuple[float, float]], at: float) -> tuple[float, float]:
    points = knots
    while len(points) > 1:
        points = [(a[0] + (b[0] - a[0]) * at, a[1] + (b[1] - a[1]) * at) for a, b in pairwise(points)]
    return points[0]


_SHAPES: tuple[Drawn, ...] = (_disc, _ring, _star, _polygon, _blob, _plate, _stroke, _stroke, _bars)
