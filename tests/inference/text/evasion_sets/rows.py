"""Rows of the evasion sets, and how they are read and written.

A file is tab separated with a header. Characters that an editor does not show are written as `\\u{200B}`; messages of one user that
follow each other are divided by `⏎`. Rows fall into two halves by a hash of their text: the author of the engine may look at misses
of `dev`; of `held_out` only totals are shown.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FOLDER = Path(__file__).parent
NEXT_MESSAGE = "⏎"

_HIDDEN = frozenset({"Cf", "Cc", "Cn", "Co", "Mn", "Me", "Zl", "Zp"})


class Half(StrEnum):
    """Which part of a set a row belongs to."""

    DEV = "dev"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Row:
    """One text, or several of one user in a row."""

    kind: str
    """Technique of a positive, kind of a negative."""
    term: str
    """Term of the base list that a positive is, or that a negative resembles."""
    messages: tuple[str, ...]
    span: str = ""
    """What of the text is the disguised term; empty for negatives and for terms over several messages."""

    @property
    def text(self) -> str:
        """Every message, as written in the file."""
        return NEXT_MESSAGE.join(self.messages)

    @property
    def half(self) -> Half:
        """The half this row is in; a matter of its text alone."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return Half.DEV if digest[0] % 2 == 0 else Half.HELD_OUT


def shown(text: str) -> str:
    """Write hidden characters as escapes."""
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char == "\\":
        return "\\\\"
    odd_space = unicodedata.category(char) == "Zs" and char not in " \u3000"
    return f"\\u{{{ord(char):X}}}" if odd_space or unicodedata.category(char) in _HIDDEN else char


def hidden(written: str) -> str:
    """Read escapes back."""
    return re.sub(r"\\(?:u\{([0-9A-F]+)\}|\\)", lambda found: chr(int(found[1], 16)) if found[1] else "\\", written)


def table(name: str) -> list[dict[str, str]]:
    """Read a tab-separated file of this folder, escapes undone."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [{key: hidden(value or "") for key, value in line.items()} for line in lines]


def read(name: str, kind: str) -> list[Row]:
    """Read the rows of one file; `kind` names its first column."""
    return [Row(line[kind], line["term"], tuple(line["text"].split(NEXT_MESSAGE)), line.get("span", "")) for line in table(name)]


def write(name: str, rows: Iterable[Row]) -> None:
    """Write positives."""
    lines = ["technique\tterm\ttext\tspan"]
    lines += ["\t".join(map(shown, (row.kind, row.term, row.text, row.span))) for row in rows]
    (FOLDER / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
