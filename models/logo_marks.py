"""Made-up marks without end: word marks in Latin and Chinese, icons, badges and icons with words, the same for the same seed.

Four seeds in a row are a family: one style, other words and shapes, so that telling marks apart is never a matter of style alone.
Seeds of training and of tests never meet: `mark_seed`.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from models.logo_codec import Bytes
from models.logo_fonts import Face, Part, Script, pick
from models.logo_shapes import frame_mask, icon_mask

FAMILY = 4
"""Seeds that share a style."""
_TEST_FROM = 1_000_000_000
_TEXT_PX = 112
_WIDEST = 6.5
"""Largest width by height; what is wider is squeezed."""

_ONSETS = (
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "qu",
    "r",
    "s",
    "t",
    "v",
    "w",
    "x",
    "z",
    "ch",
    "sh",
    "st",
    "tr",
    "bl",
    "pl",
    "gr",
    "fl",
    "kr",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ee", "oo", "ia", "io", "y")
_CODAS = ("", "", "", "n", "r", "x", "s", "t", "l", "m", "ng", "k", "sh")
_TAILS = (
    "TV",
    "LIVE",
    "HD",
    "24",
    "Go",
    "+",
    "Plus",
    "Play",
    "Cam",
    "18",
    "88",
    "Bet",
    "FM",
    "Club",
    ".tv",
    ".live",
    ".com",
    "视频",
    "直播",
)


class Kind(StrEnum):
    """How a mark is composed."""

    WORD = "word"
    ICON = "icon"
    BADGE = "badge"
    BOTH = "both"


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One made-up mark."""

    seed: int
    kind: Kind
    rgba: Bytes
    """Straight alpha, cut to what is seen of it, shape (H, W, 4)."""

    def __repr__(self) -> str:
        return f"Mark({self.seed}, {self.kind}, {self.rgba.shape[1]}x{self.rgba.shape[0]})"


@dataclass(frozen=True, slots=True)
class _Style:
    kind: Kind
    script: Script
    face: Face
    colours: tuple[tuple[int, int, int], ...]
    graded: bool
    outlined: bool
    shadowed: bool
    stacked: bool
    spacing: float
    slant: float
    capitals: int


def mark_seed(n: int, part: Part) -> int:
    """Number the marks of one side of the split, n from 0 to below a thousand million."""
    return n % _TEST_FROM + (_TEST_FROM if part is Part.TEST else 0)


def part_of(seed: int) -> Part:
    """Tell which side of the split a mark is on."""
    return Part.TEST if seed >= _TEST_FROM else Part.TRAIN


def draw_mark(seed: int) -> Mark:
    """Draw the mark of a seed.

    Raises:
        FileNotFoundError: no font is installed.
    """
    style = _style(seed)
    random = Random(seed * 2 + 1)
    part = part_of(seed)
    if style.kind is Kind.ICON:
        picture = _coloured(icon_mask(random, part), style, random)
    elif style.kind is Kind.BADGE:
        picture = _badge(style, random, part)
    else:
        picture = _word(style, random)
        if style.kind is Kind.BOTH:
            picture = _beside(_coloured(icon_mask(random, part), style, random), picture, style)
    picture = _finished(picture, style)
    return Mark(seed, style.kind, np.asarray(picture, np.uint8).copy())


def _style(seed: int) -> _Style:
    random = Random((seed // FAMILY) * 2)
    part = part_of(seed)
    script = Script.HAN if random.random() < 0.45 else Script.LATIN
    return _Style(
        kind=random.choices(tuple(Kind), (4, 3, 2.5, 2.5))[0],
        script=script,
        face=pick(script, part, random),
        colours=tuple(_colour(random) for _ in range(3)),
        graded=random.random() < 0.25,
        outlined=random.random() < 0.2,
        shadowed=random.random() < 0.2,
        stacked=random.random() < 0.35,
        spacing=random.choice((0.0, 0.0, 0.0, 0.1, 0.2)),
        slant=random.choice((0.0, 0.0, 0.0, 0.2, -0.2)),
        capitals=random.randrange(3),
    )


def _colour(random: Random) -> tuple[int, int, int]:
    if random.random() < 0.35:
        level = random.choice((255, 255, 235, 200, 30))
        return (level, level, level)
    red, green, blue = colorsys.hsv_to_rgb(random.random(), random.uniform(0.45, 1.0), random.uniform(0.55, 1.0))
    return (int(red * 255), int(green * 255), int(blue * 255))


def _text(style: _Style, random: Random) -> str:
    if style.script is Script.HAN:
        text = "".join(_han(random) for _ in range(random.randint(2, 4)))
        return text + random.choice(("", "", "", random.choice(_TAILS)))
    n = random.randint(1, 3)
    word = "".join(random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_CODAS) for _ in range(n))
    word = (word.capitalize(), word.upper(), word.lower())[style.capitals]
    ascii_tails = [tail for tail in _TAILS if tail.isascii()]
    return word + (random.choice(ascii_tails) if random.random() < 0.3 else "")


def _han(random: Random) -> str:
    """Draw one of the 3,755 commonest Chinese characters: level one of GB 2312."""
    while True:
        try:
            return bytes((random.randint(0xB0, 0xD7), random.randint(0xA1, 0xFE))).decode("gb2312")
        except UnicodeDecodeError:  # the last row of the level is not full
            continue


def _word(style: _Style, random: Random) -> Image.Image:
    lines = [_text(style, random)]
    if random.random() < 0.15:
        lines.append(_text(style, random))
    rows = [_written(line, style, _TEXT_PX if at == 0 else int(_TEXT_PX * 0.55)) for at, line in enumerate(lines)]
    mask = rows[0] if len(rows) == 1 else _pile(rows, gap=12)
    return _coloured(mask, style, random)


def _written(text: str, style: _Style, size_px: int) -> Image.Image:
    """Write a line as a mask, cut to its ink."""
    font = style.face.at(size_px)
    gap = int(style.spacing * size_px)
    left = 0.0
    mask = Image.new("L", (int(font.getlength(text)) + gap * len(text) + 2 * size_px, 2 * size_px), 0)
    draw = ImageDraw.Draw(mask)
    if gap == 0:
        draw.text((size_px // 2, size_px // 3), text, fill=255, font=font)
    else:
        for letter in text:
            draw.text((size_px // 2 + left, size_px // 3), letter, fill=255, font=font)
            left += font.getlength(letter) + gap
    if style.slant:
        mask = mask.transform(
            mask.size, Image.Transform.AFFINE, (1, style.slant, -style.slant * size_px, 0, 1, 0), Image.Resampling.BILINEAR
        )
    box = mask.getbbox()
    return mask.crop(box) if box else Image.new("L", (size_px, size_px), 255)


def _pile(rows: list[Image.Image], *, gap: int) -> Image.Image:
    width = max(row.width for row in rows)
    pile = Image.new(rows[0].mode, (width, sum(row.height for row in rows) + gap * (len(rows) - 1)), 0)
    top = 0
    for row in rows:
        pile.paste(row, ((width - row.width) // 2, top))
        top += row.height + gap
    return pile


def _coloured(mask: Image.Image, style: _Style, random: Random) -> Image.Image:
    """Fill a mask: one colour, a change from one to another, or two halves."""
    first, second = style.colours[0], style.colours[1]
    colour = Image.new("RGB", mask.size, first)
    if style.graded or random.random() < 0.12:
        ramp = Image.linear_gradient("L").resize(mask.size)
        if random.random() < 0.5:
            ramp = ramp.transpose(Image.Transpose.ROTATE_90).resize(mask.size)
        if not style.graded:
            ramp = ramp.point(lambda level: 255 if level > 127 else 0)
        colour = Image.composite(Image.new("RGB", mask.size, second), colour, ramp)
    colour.putalpha(mask)
    return colour


def _badge(style: _Style, random: Random, part: Part) -> Image.Image:
    inner = _written(_text(style, random), style, _TEXT_PX) if random.random() < 0.65 else icon_mask(random, part)
    pad = int(inner.height * random.uniform(0.2, 0.5))
    width, height = inner.width + 2 * pad, inner.height + 2 * pad
    if inner.width < 1.8 * inner.height and random.random() < 0.6:
        width = height = max(width, height)
    body = _coloured(frame_mask(random, (width, height)), style, random)
    luma = sum(style.colours[0]) / 3
    ink = (255, 255, 255) if luma < 150 else (20, 20, 30)
    place = ((width - inner.width) // 2, (height - inner.height) // 2)
    if random.random() < 0.3:
        hole = Image.new("L", body.size, 0)
        hole.paste(inner, place)
        body.putalpha(ImageChops.subtract(body.getchannel("A"), hole))
        return body
    body.paste(Image.new("RGBA", inner.size, (*ink, 255)), place, inner)
    return body


def _beside(icon: Image.Image, word: Image.Image, style: _Style) -> Image.Image:
    if style.stacked:
        side = max(word.width // 2, word.height)
        icon = _fit(icon, side)
        return _pile([icon, word], gap=word.height // 4)
    icon = _fit(icon, int(word.height * 1.25))
    gap = icon.width // 6
    row = Image.new("RGBA", (icon.width + gap + word.width, max(icon.height, word.height)), (0, 0, 0, 0))
    row.paste(icon, (0, (row.height - icon.height) // 2))
    row.paste(word, (icon.width + gap, (row.height - word.height) // 2))
    return row


def _fit(icon: Image.Image, height: int) -> Image.Image:
    return icon.resize((max(8, round(icon.width * height / icon.height)), height), Image.Resampling.LANCZOS)


def _finished(picture: Image.Image, style: _Style) -> Image.Image:
    """Outline, shadow, squeeze what is too wide, cut to what is seen."""
    room = 16
    wide = Image.new("RGBA", (picture.width + 2 * room, picture.height + 2 * room), (0, 0, 0, 0))
    wide.paste(picture, (room, room))
    alpha = wide.getchannel("A")
    if style.outlined:
        wide = _over(style.colours[2], alpha.filter(ImageFilter.MaxFilter(9)), wide)
    if style.shadowed:
        soft = ImageChops.offset(alpha, 5, 5).filter(ImageFilter.GaussianBlur(4)).point(lambda level: level * 0.6)
        wide = _over((0, 0, 0), soft, wide)
    seen = wide.getchannel("A").point(lambda level: 255 if level > 24 else 0).getbbox()
    cut = wide.crop(seen) if seen else wide
    if cut.width > _WIDEST * cut.height:
        cut = cut.resize((int(_WIDEST * cut.height), cut.height), Image.Resampling.LANCZOS)
    return cut


def _over(colour: tuple[int, int, int], mask: Image.Image, picture: Image.Image) -> Image.Image:
    under = Image.new("RGBA", picture.size, (*colour, 0))
    under.putalpha(mask)
    return Image.alpha_composite(under, picture)
