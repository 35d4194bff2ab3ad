"""How characters come apart and which look alike; the table is made by `build_shapes.py`."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

RADICALS = {
    "亻": "人", "讠": "言", "氵": "水三", "扌": "手才", "钅": "金", "纟": "丝", "饣": "食", "犭": "犬", "礻": "示衣",
    "衤": "衣礻", "忄": "心", "艹": "草", "刂": "刀", "攵": "文夂攴", "攴": "攵文", "阝": "耳", "冫": "冰", "辶": "走",
    "辵": "辶", "⺮": "竹", "罒": "四", "灬": "火", "月": "肉", "镸": "长", "疒": "病", "宀": "宝", "彳": "双", "囗": "口",
    "牛": "牜", "牜": "牛", "贝": "見", "王": "玉", "入": "人", "八": "丷", "丿": "ノ",
}  # fmt: skip
"""Parts that hardly any keyboard offers, or that look like another, and the characters people write for them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one character looks like."""

    apart: tuple[str, ...] = ()
    """Ways it comes apart, each a run of two to four parts."""
    alike: str = ""
    """Characters that look like it, commonest first."""


_NONE = Shape()

MAX_PARTS = 4
"""Parts of the longest way to write a character apart."""


class Shapes:
    """Shapes by character; never changes after it is made."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._shapes: dict[str, Shape] = {}
        for line in lines:
            char, apart, alike = line.split("\t")
            self._shapes[char] = Shape(tuple(dict.fromkeys(_ways(apart.split(" ")))), "".join(dict.fromkeys(alike)))

    @classmethod
    def load(cls, folder: Path) -> Shapes:
        """Read the table, and beside it the ways to write characters apart and the look-alikes that nobody's dictionary has."""
        rows = {
            line[0]: line.split("\t") for line in gzip.decompress((folder / "shapes.tsv.gz").read_bytes()).decode().splitlines()
        }
        for name, column in (("apart.tsv", 1), ("alike.tsv", 2)):
            for line in (folder / name).read_text("utf-8").splitlines():
                char, own = line.split("\t")
                row = rows.setdefault(char, [char, "", ""])
                row[column] = f"{own} {row[1]}" if column == 1 else own + row[2]
        return cls("\t".join(row) for row in rows.values())

    def of(self, char: str) -> Shape:
        """Return a character's shape; an empty one where nothing is known of it."""
        return self._shapes.get(char, _NONE)

    def composer(self, chars: Iterable[str]) -> dict[str, str]:
        """Return, for these characters, parts to the character they make."""
        return {way: char for char in chars for way in self.of(char).apart}


def _ways(apart: Iterable[str]) -> Iterator[str]:
    """Yield the ways to write a character apart: as listed, with characters for radicals, and two parts in the other order."""
    for way in apart:
        if not 1 < len(way) <= MAX_PARTS:
            continue
        options = [(part, *RADICALS.get(part, "")) for part in way]
        for parts in itertools.islice(itertools.product(*options), 16):
            yield "".join(parts)
            if len(parts) == 2:
                yield parts[1] + parts[0]
