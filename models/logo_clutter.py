"""What stands on streams and is no logo: chat panels, subtitles, game displays, camera frames, bars, comments that run across.

Much of it holds still like a logo does. What looks like a logo by itself (a name plate, a score) is said to be so, and training
neither rewards nor punishes finding it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from models.logo_codec import Bytes
from models.logo_fonts import Part, Script, pick

_HAN = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后"
    "小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长"
)
_LATIN = "abcdefghijklmnopqrstuvwxyz      0123456789"
_TONES = ((0, 0, 0), (20, 20, 30), (40, 40, 60), (255, 255, 255), (120, 30, 30), (30, 60, 120))


@dataclass(frozen=True, slots=True, eq=False)
class Clutter:
    """One thing on the frames."""

    rgba: Bytes
    left: int
    top: int
    pace: tuple[float, float] = (0.0, 0.0)
    """Pixels right and down from one frame to the next."""
    logo_like: bool = False
    frames: range | None = None
    """Frames it is on; None for all."""


def draw_clutter(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    """Draw what stands on one scene: nothing on a third of them, several things on a game or chat screen."""
    out: list[Clutter] = []
    if random.random() < 0.3:
        return out
    for _ in range(random.randint(1, 4)):
        out += random.choice(_KINDS)(random, part, n_frames, size)
    return out


def _chat(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    width, n_lines, px = random.randint(220, 420), random.randint(3, 9), random.randint(15, 24)
    height = n_lines * int(px * 1.6) + 16
    panel = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(panel)
    if random.random() < 0.7:
        draw.rounded_rectangle((0, 0, width, height), radius=10, fill=(*random.choice(_TONES), random.randint(60, 170)))
    font = pick(Script.HAN, part, random).at(px)
    for line in range(n_lines):
        draw.text((8, 8 + line * int(px * 1.6)), _line(random, 6, 18), fill=_ink(random), font=font)
    x, y = random.choice((12, size[0] - width - 12)), random.randint(0, max(1, size[1] - height))
    pace = (0.0, -random.choice((0.0, 0.0, px * 1.6)))
    return [Clutter(_array(panel), x, y, pace)]


def _subtitle(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    rows = []
    change = random.randint(1, n_frames) if random.random() < 0.5 else n_frames
    for frames in (range(0, change), range(change, n_frames)):
        if len(frames) == 0:
            continue
        text = _text(_line(random, 8, 22), random, part, random.randint(26, 46), outlined=True)
        rows.append(Clutter(text, (size[0] - text.shape[1]) // 2, size[1] - random.randint(60, 110), frames=frames))
    return rows


def _comments(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    rows = []
    for _ in range(random.randint(2, 8)):
        text = _text(_line(random, 3, 16), random, part, random.randint(22, 36), outlined=True)
        x, y = random.randint(-200, size[0]), random.randint(0, size[1] // 2)
        rows.append(Clutter(text, x, y, (-random.uniform(60, 300), 0.0)))
    return rows


def _display(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    """Bars, numbers, slots and a round map: the still parts of a game."""
    rows = []
    for _ in range(random.randint(1, 5)):
        kind = random.randrange(4)
        picture = (_bars, _numbers, _slots, _map)[kind](random, part)
        x, y = _by_the_rim(random, (picture.shape[1], picture.shape[0]), size)
        rows.append(Clutter(picture, x, y, logo_like=kind == 1))
    return rows


def _camera(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    """The border around a presenter's picture."""
    width, height, thick = random.randint(200, 400), random.randint(140, 300), random.randint(2, 10)
    border = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    ImageDraw.Draw(border).rounded_rectangle(
        (0, 0, width - 1, height - 1), radius=random.choice((0, 0, 12)), outline=(*_ink(random), 255), width=thick
    )
    x, y = _by_the_rim(random, (width, height), size)
    return [Clutter(_array(border), x, y)]


def _plate(random: Random, part: Part, n_frames: int, size: tuple[int, int]) -> list[Clutter]:
    """A name, a clock or a notice on a plate."""
    text = Image.fromarray(_text(_line(random, 3, 10), random, part, random.randint(18, 34), outlined=False))
    plate = Image.new("RGBA", (text.width + 24, text.height + 14), (0, 0, 0, 0))
    body = (*random.choice(_TONES), random.randint(90, 255))
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, plate.width - 1, plate.height - 1), radius=random.choice((0, 6, 14)), fill=body)
    plate.alpha_composite(text, (12, 7))
    x, y = _by_the_rim(random, plate.size, size)
    return [Clutter(_array(plate), x, y, logo_like=True)]


def _bars(random: Random, part: Part) -> Bytes:
    width, height, n = random.randint(120, 320), random.randint(8, 22), random.randint(1, 3)
    picture = Image.new("RGBA", (width, (height + 6) * n), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    for at in range(n):
        top = at * (height + 6)
        draw.rectangle((0, top, width - 1, top + height), fill=(20, 20, 20, 180), outline=(200, 200, 200, 255))
        draw.rectangle((2, top + 2, int(width * random.uniform(0.2, 0.95)), top + height - 2), fill=(*_ink(random), 230))
    return _array(picture)


def _numbers(random: Random, part: Part) -> Bytes:
    words = ("HP", "LV", "SCORE", "x", "$", "KILLS", "得分", "等级", "FPS", "ms", "")
    return _text(
        f"{random.choice(words)} {random.randint(0, 9999)}", random, part, random.randint(20, 48), outlined=random.random() < 0.5
    )


def _slots(random: Random, part: Part) -> Bytes:
    side, n = random.randint(30, 60), random.randint(3, 9)
    picture = Image.new("RGBA", (side * n, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    for at in range(n):
        draw.rectangle(
            (at * side, 0, at * side + side - 3, side - 1), fill=(30, 30, 30, 140), outline=(180, 180, 170, 255), width=2
        )
        if random.random() < 0.6:
            inset = side // 5
            draw.ellipse((at * side + inset, inset, at * side + side - inset, side - inset), fill=(*_ink(random), 255))
    return _array(picture)


def _map(random: Random, part: Part) -> Bytes:
    side = random.randint(100, 200)
    dice = np.random.default_rng(random.getrandbits(32))
    coarse = Image.fromarray(dice.integers(0, 255, (9, 9, 3), dtype=np.uint8)).resize((side, side), Image.Resampling.NEAREST)
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    (draw.ellipse if random.random() < 0.5 else draw.rectangle)((0, 0, side - 1, side - 1), fill=random.randint(130, 255))
    coarse.putalpha(mask)
    return _array(coarse)


def _line(random: Random, least: int, most: int) -> str:
    letters = _HAN if random.random() < 0.6 else _LATIN
    return "".join(random.choice(letters) for _ in range(random.randint(least, most))).strip() or "ok"


def _text(text: str, random: Random, part: Part, size_px: int, *, outlined: bool) -> Bytes:
    font = pick(Script.HAN, part, random).at(size_px)
    picture = Image.new("RGBA", (int(font.getlength(text)) + 8, int(size_px * 1.5)), (0, 0, 0, 0))
    rim = max(1, size_px // 14) if outlined else 0
    ImageDraw.Draw(picture).text((4, 2), text, fill=(*_ink(random), 255), font=font, stroke_width=rim, stroke_fill=(0, 0, 0, 255))
    return _array(picture)


def _ink(random: Random) -> tuple[int, int, int]:
    if random.random() < 0.5:
        return (255, 255, 255)
    return (random.randint(0, 255), random.randint(0, 255), random.randint(0, 255))


def _by_the_rim(random: Random, own: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    x, y = random.randint(0, max(1, size[0] - own[0])), random.randint(0, max(1, size[1] - own[1]))
    if random.random() < 0.5:
        return random.choice((8, max(8, size[0] - own[0] - 8))), y
    return x, random.choice((8, max(8, size[1] - own[1] - 8)))


def _array(picture: Image.Image) -> Bytes:
    return np.asarray(picture, np.uint8)


_KINDS: tuple[Callable[[Random, Part, int, tuple[int, int]], list[Clutter]], ...] = (
    _chat, _subtitle, _comments, _display, _display, _camera, _plate, _plate,
)  # fmt: skip
