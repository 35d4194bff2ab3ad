"""The typefaces that made-up marks are written in: what the machine has, by script, some of them kept from training.

Which fonts lie there is the machine's business, so a mark is the same for a seed only where the fonts are the same.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from random import Random

from PIL import ImageFont

FONTS_VARIABLE = "LIVEWARDEN_FONTS"
"""Names a folder of fonts to draw with instead of the machine's."""
_FOLDERS = (Path("/usr/share/fonts"),)

_HAN = ("cjk", "wqy", "uming", "ukai", "wenkai", "cwtex", "smiley", "droidsansfallback")
_SYMBOLS = ("symbola", "awesome", "dejavusans.ttf", "dejavusans-bold.ttf")
_NO_LETTERS = ("symbol", "awesome", "dingbat", "d050000l", "dseg", "math", "emoji", "brands")
_TOO_FINE = ("thin", "hairline", "extralight")
"""Strokes that no logo of a twentieth of a picture shows."""
_HELD_BACK_ONE_IN = 7


class Script(StrEnum):
    """What a font is used for."""

    LATIN = "latin"
    HAN = "han"
    SYMBOLS = "symbols"


class Part(StrEnum):
    """Side of the split that marks, fonts and frames belong to."""

    TRAIN = "train"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Face:
    """One font file and the face in it."""

    path: str
    index: int = 0

    @property
    def family(self) -> str:
        """Name of the file up to its weight."""
        return Path(self.path).stem.partition("-")[0]

    def at(self, size_px: int) -> ImageFont.FreeTypeFont:
        """Open at a size."""
        return _opened(self.path, self.index, size_px)


@lru_cache(maxsize=512)
def _opened(path: str, index: int, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_px, index=index, layout_engine=ImageFont.Layout.BASIC)


def pick(script: Script, part: Part, random: Random) -> Face:
    """Draw a family, then a face of it, so that a family of many weights counts once.

    Raises:
        FileNotFoundError: no font of the script is installed.
    """
    families = _families(script, part)
    return random.choice(families[random.choice(sorted(families))])


@lru_cache(maxsize=8)
def _families(script: Script, part: Part) -> dict[str, list[Face]]:
    families: dict[str, list[Face]] = {}
    for face in faces(script, part):
        families.setdefault(face.family, []).append(face)
    return families


@lru_cache(maxsize=8)
def faces(script: Script, part: Part) -> tuple[Face, ...]:
    """Name the faces of a script in a fixed order.

    Training does without one font in seven, by its name; tests use all of them. Chinese fonts write Latin too, where there is no
    other.

    Raises:
        FileNotFoundError: no font of the script is installed.
    """
    named = os.environ.get(FONTS_VARIABLE)
    folders = (Path(named),) if named else _FOLDERS
    files = sorted(path for folder in folders for suffix in ("ttf", "otf", "ttc") for path in folder.rglob(f"*.{suffix}"))
    found = [Face(str(path), _index(path)) for path in files if _suits(path, script)]
    kept = [face for face in found if part is Part.TEST or not _held_back(face)] or found
    if not kept and script is Script.LATIN:
        return faces(Script.HAN, part)
    if not kept:
        where = ", ".join(map(str, folders))
        raise FileNotFoundError(f"no {script} font under {where}; install fonts-noto-cjk and fonts-dejavu-core")
    return tuple(kept)


def _suits(path: Path, script: Script) -> bool:
    name = path.name.lower()
    han = any(part in name for part in _HAN)
    if script is Script.HAN:
        return han
    if script is Script.SYMBOLS:
        return any(part in name for part in _SYMBOLS)
    return not han and not any(part in name for part in (*_NO_LETTERS, *_TOO_FINE))


def _index(path: Path) -> int:
    # Face 2 of the Noto collections is the simplified Chinese one.
    return 2 if "CJK" in path.name and path.suffix == ".ttc" else 0


def _held_back(face: Face) -> bool:
    return zlib.crc32(Path(face.path).name.encode()) % _HELD_BACK_ONE_IN == 0
