"""Word lists: terms with label, level, scenes and mode, read from CSV or plain text with an error for each bad line.

It owns what a list says and knows nothing of matching: how a term is looked for is `patterns.py`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.errors import ConfigError
from inference.text.terms import Mode, Term, term_of

__all__ = ["BASE_ALLOW", "BASE_LIST", "BASE_VERSION", "LineError", "Mode", "Term", "WordList", "read_phrases"]

BASE_LIST = Path(__file__).with_name("base_lexicon.csv")
BASE_ALLOW = Path(__file__).with_name("base_allow.txt")
BASE_VERSION = 1

N_ERRORS_SHOWN = 5
"""Bad lines named in the message that refuses a list; the rest are counted."""

_COLUMNS = ("term", "label", "level", "scenes", "mode", "owner", "reason", "expires")


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line of a list."""

    line: int
    """Number of the line, from 1."""
    problem: str
    """The value and what would be right."""


@dataclass(frozen=True, slots=True)
class WordList:
    """A named, versioned list, and the lines of its file that could not be understood."""

    name: str
    version: int
    terms: tuple[Term, ...]
    errors: tuple[LineError, ...] = ()

    @property
    def ref(self) -> str:
        """Name and version as answers carry them, e.g. `base@1`."""
        return f"{self.name}@{self.version}"

    @classmethod
    def read(cls, path: Path, check_label: Callable[[str], object], *, name: str | None = None, version: int = 1) -> WordList:
        """Read a list: `.csv` with a header (term,label,level[,scenes,mode]), else one term a line, labelled `custom.word`.

        Args:
            path: UTF-8 file, with or without a byte order mark; blank lines and lines that begin with `#` are left out.
            check_label: raises ValueError for a code that the taxonomy does not have.
            name: what answers call the list; the file's stem by default.
            version: what answers call its version.

        Raises:
            ConfigError: the file cannot be read, or its header lacks a column.
        """
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"cannot read word list {path}: {exc}; give a readable UTF-8 file") from exc
        terms: list[Term] = []
        errors: list[LineError] = []
        rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _plain_rows(text)
        for line, row in rows:
            try:
                term = term_of(row)
                check_label(term.label)
            except ValueError as exc:
                errors.append(LineError(line, str(exc)))
            else:
                terms.append(term)
        return cls(name or path.stem, version, tuple(terms), tuple(errors))

    def require_clean(self, where: object) -> WordList:
        """Return the list itself.

        Raises:
            ConfigError: a line could not be understood; the first few are named with their numbers.
        """
        if self.errors:
            shown = "; ".join(f"line {error.line}: {error.problem}" for error in self.errors[:N_ERRORS_SHOWN])
            raise ConfigError(f"word list {where} has {len(self.errors)} bad lines: {shown}")
        return self


def read_phrases(path: Path) -> tuple[str, ...]:
    """Read an allow-list: one phrase a line, blank lines and `#` lines left out.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read allow-list {path}: {exc}; give a readable UTF-8 file") from exc
    return tuple(_kept(line.strip() for line in text.splitlines()))


def _kept(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line and not line.startswith("#"))


def _plain_rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, {"term": line, "label": "custom.word", "level": "2"}


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(text.splitlines())
    missing = {"term", "label", "level"} - set(reader.fieldnames or ())
    if missing:
        raise ConfigError(
            f"word list {path} lacks the columns {', '.join(sorted(missing))}; its header must be {','.join(_COLUMNS)}"
        )
    for row in reader:
        if (row["term"] or "").strip() and not row["term"].startswith("#"):
            yield reader.line_num, {key: value or "" for key, value in row.items() if key in _COLUMNS}
