"""Files of word lists: from text to the values of each line, and back to CSV.

Owns the syntax of CSV and of plain text; what the values mean is for `terms.py`.
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inference.clock import rfc3339
from inference.errors import ConfigError
from inference.text.terms import Term

MAX_LIST_BYTES = 64 * 1024 * 1024
"""Largest file that is read; 100,000 lines with every column take about 8 MiB."""

COLUMNS = ("term", "label", "level", "scenes", "mode", "owner", "reason", "expires")
"""Columns in the order in which they are written."""

REQUIRED = ("term", "label", "level")

ALIASES: Mapping[str, str] = {"category": "label", "severity": "level", "scene": "scenes", "expiry": "expires"}
"""Other names that a column may have."""

PLAIN_LABEL = "custom.word"
PLAIN_LEVEL = "2"
"""What a term of a plain text is."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one line, or why it has none."""

    line: int
    """Number of the line, from 1."""
    values: Mapping[str, str]
    """By column; columns that the file does not have are missing."""
    problem: str = ""
    """What is wrong with the line as a whole; empty where it could be read."""


def read_utf8(path: Path, what: str) -> str:
    """Read a file as UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        what: how a message calls it, e.g. `word list`.

    Raises:
        ConfigError: it cannot be read, is no UTF-8 or too large.
    """
    try:
        n_bytes = path.stat().st_size
        if n_bytes > MAX_LIST_BYTES:
            limit = MAX_LIST_BYTES // 2**20
            raise ConfigError(f"{what} {path} has {n_bytes} bytes; at most {limit} MiB are read, so split it")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read {what} {path}: {exc}; give a readable UTF-8 file") from exc


def plain_rows(text: str) -> Iterator[Row]:
    """Yield the lines of a plain text, a term each; blank lines and lines that begin with `#` are left out."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield Row(number, {"term": line, "label": PLAIN_LABEL, "level": PLAIN_LEVEL})


def csv_rows(text: str, where: object) -> Iterator[Row]:
    """Yield the lines of a CSV with a header; blank lines, lines that begin with `#` and lines without a term are left out.

    A term that begins with `#` is written in quotes.

    Raises:
        ConfigError: the header lacks a column, has an unknown one or one twice.
    """
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    try:
        columns = _columns(next(filter(None, reader), []), where)
    except csv.Error as exc:
        raise ConfigError(f"word list {where}: its header is no CSV: {exc}; write {','.join(COLUMNS)}") from None
    place = columns.index("term")
    while True:
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Row(lines.first, {}, f"no CSV: {exc}; close every quote, and double those inside a value")
            continue
        if len(cells) > len(columns):
            yield Row(lines.first, {}, f"{len(cells)} values for {len(columns)} columns; put values that hold a comma in quotes")
        elif len(cells) > place and cells[place].strip():
            cells += [""] * (len(columns) - len(cells))
            yield Row(lines.first, dict(zip(columns, cells, strict=True)))


def csv_text(terms: Iterable[Term]) -> str:
    """Write terms as CSV with every column, as `csv_rows` reads it."""
    return "\n".join([",".join(COLUMNS), *(_csv_line(_cells(term)) for term in terms), ""])


class _Lines:
    """Iterates over the lines of a CSV, remembers where a row began and leaves comments out."""

    def __init__(self, text: str) -> None:
        self._lines = enumerate(text.split("\n"), 1)
        self._begins = True
        self.first = 1
        """Number of the line on which the row began."""

    def begin_row(self) -> None:
        """Say that the next line is a row's first."""
        self._begins = True

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            if self._begins and line.startswith("#"):
                continue
            if self._begins:
                self.first, self._begins = number, not line.strip()
            yield line + "\n"


def _columns(header: Sequence[str], where: object) -> list[str]:
    """Name the columns of a header."""
    names = [name.strip().lower() for name in header]
    columns = [ALIASES.get(name, name) for name in names]
    fix = f"its header must be {','.join(COLUMNS)}"
    if missing := [name for name in REQUIRED if name not in columns]:
        raise ConfigError(f"word list {where} lacks the columns {', '.join(sorted(missing))}; {fix}")
    known = [*COLUMNS, *ALIASES]
    for name, column in zip(names, columns, strict=True):
        if column not in COLUMNS:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}" if near else fix
            raise ConfigError(f"word list {where} has the unknown column {name!r}; {hint}")
        if columns.count(column) > 1:
            raise ConfigError(f"word list {where} has the column {column!r} twice; keep one")
    return columns


def _cells(term: Term) -> tuple[str, ...]:
    """Write a term's values in the order of `COLUMNS`."""
    scenes = "|".join(sorted(term.scenes))
    return (term.text, term.label, str(term.level), scenes, term.mode, term.owner, term.reason, _expiry(term.expires))


def _expiry(moment: datetime | None) -> str:
    return rfc3339(moment) if moment is not None else ""


def _csv_line(cells: Sequence[str]) -> str:
    """Join values; those are quoted that would be read differently otherwise, a first one that begins with `#` too."""
    return ",".join(
        '"' + cell.replace('"', '""') + '"' if cell.startswith("#") or any(map(cell.__contains__, ',"\r\n')) else cell
        for cell in cells
    )
