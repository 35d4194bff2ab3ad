"""Word lists and allow-lists: named, versioned, read whole with an error for each bad line.

It owns what a list says and knows nothing of matching: how a term is looked for is `patterns.py`; syntax is `list_files.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import ConfigError
from inference.text.list_files import Row, csv_rows, plain_rows, read_utf8
from inference.text.terms import Mode, Term, require_visible, require_word, term_of

__all__ = [
    "BASE_ALLOW",
    "BASE_LIST",
    "BASE_VERSION",
    "AllowList",
    "LineError",
    "Mode",
    "Term",
    "WordList",
    "list_mark",
    "read_phrases",
]

BASE_LIST = Path(__file__).with_name("base_lexicon.csv")
BASE_ALLOW = Path(__file__).with_name("base_allow.txt")
BASE_VERSION = 1

N_ERRORS_SHOWN = 5
"""Bad lines named in the message that refuses a list; the rest are counted."""

MAX_PHRASE = 200
"""Characters of the longest allowed phrase."""

_MARK = "# livewarden-list "
"""How a file begins that knows its own name and version: the store's files do."""


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line of a list."""

    line: int
    """Number of the line, from 1."""
    problem: str
    """The value and what would be right."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


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
    def read(
        cls, path: Path, check_label: Callable[[str], object], *, name: str | None = None, version: int | None = None
    ) -> WordList:
        """Read a list: `.csv` with a header (term,label,level[,scenes,mode,owner,reason,expires]), else one term a line.

        Args:
            path: UTF-8 file, with or without a byte order mark; blank lines and lines that begin with `#` are left out.
            check_label: raises ValueError for a code that the taxonomy does not have.
            name: what answers call the list; what the file itself says by default, else the file's stem.
            version: what answers call its version; what the file itself says by default, else 1.

        Raises:
            ConfigError: the file cannot be read, or its header lacks a column.
        """
        text = read_utf8(path, "word list")
        rows = csv_rows(text, path) if path.suffix.lower() == ".csv" else plain_rows(text)
        reading = _Reading(check_label)
        for row in rows:
            reading.take(row)
        said = _marked(text)
        own_name, own_version = said if said is not None else (path.stem, 1)
        return cls(name or own_name, own_version if version is None else version, tuple(reading.terms), tuple(reading.errors))

    def require_clean(self, where: object) -> WordList:
        """Return the list itself.

        Raises:
            ConfigError: a line could not be understood; the first few are named with their numbers.
        """
        _require_clean("word list", where, self.errors)
        return self


@dataclass(frozen=True, slots=True)
class AllowList:
    """Named, versioned phrases that suppress the hits they overlap, and the lines of the file that are none."""

    name: str
    version: int
    phrases: tuple[str, ...]
    """Each once."""
    errors: tuple[LineError, ...] = ()

    @property
    def ref(self) -> str:
        """Name and version, e.g. `game-words@2`."""
        return f"{self.name}@{self.version}"

    @classmethod
    def read(cls, path: Path) -> AllowList:
        """Read an allow-list: UTF-8, one phrase a line, blank lines and `#` lines left out.

        Raises:
            ConfigError: the file cannot be read.
        """
        text = read_utf8(path, "allow-list")
        phrases: dict[str, None] = {}
        errors: list[LineError] = []
        for row in plain_rows(text):
            phrase = row.values["term"].strip()
            try:
                _require_phrase(phrase)
            except ValueError as exc:
                errors.append(LineError(row.line, str(exc)))
            else:
                phrases[phrase] = None
        name, version = _marked(text) or (path.stem, 1)
        return cls(name, version, tuple(phrases), tuple(errors))

    def require_clean(self, where: object) -> AllowList:
        """Return the list itself.

        Raises:
            ConfigError: a line is no phrase; the first few are named with their numbers.
        """
        _require_clean("allow-list", where, self.errors)
        return self


def read_phrases(path: Path) -> tuple[str, ...]:
    """Read the phrases of an allow-list.

    Raises:
        ConfigError: the file cannot be read, or a line is no phrase.
    """
    return AllowList.read(path).require_clean(path).phrases


def list_mark(name: str, version: int, **notes: object) -> str:
    """Write the first line of a file that knows its own name and version, with whatever else may be noted as JSON."""
    return _MARK + json.dumps({"name": name, "version": version, **notes}, ensure_ascii=False)


def read_mark(first_line: str) -> dict[str, object] | None:
    """Read what `list_mark` wrote; None where the line is something else."""
    if not first_line.startswith(_MARK):
        return None
    try:
        said = json.loads(first_line.removeprefix(_MARK))
    except ValueError:
        return None
    is_whole = isinstance(said, dict) and isinstance(said.get("name"), str) and isinstance(said.get("version"), int)
    return said if is_whole else None


def _marked(text: str) -> tuple[str, int] | None:
    said = read_mark(text.partition("\n")[0].rstrip("\r"))
    return (str(said["name"]), int(str(said["version"]))) if said is not None else None


class _Reading:
    """Collects the terms of one file, its errors, and what was there before."""

    def __init__(self, check_label: Callable[[str], object]) -> None:
        self._check_label = check_label
        self._seen: dict[str, tuple[Term, int]] = {}
        self.terms: list[Term] = []
        self.errors: list[LineError] = []

    def take(self, row: Row) -> None:
        """Read one line; a term that is there already in every respect is left out."""
        try:
            if row.problem:
                raise ValueError(row.problem)
            term = term_of(row.values, self._check_label)
            if self._is_new(term, row.line):
                self.terms.append(term)
        except ValueError as exc:
            self.errors.append(LineError(row.line, str(exc)))

    def _is_new(self, term: Term, line: int) -> bool:
        """Tell whether a term says something new.

        Raises:
            ValueError: it is there with another label.
        """
        key = term.text if term.mode is Mode.REGEX else term.text.casefold()
        twin, first = self._seen.setdefault(key, (term, line))
        if twin is term:
            return True
        if twin.label != term.label:
            raise ValueError(f"term {term.text!r} is labelled {twin.label} on line {first} and {term.label} here; keep one")
        return twin != term


def _require_phrase(phrase: str) -> None:
    """Refuse an allowed phrase that would allow nothing or nearly everything.

    Raises:
        ValueError: says why.
    """
    if len(phrase) > MAX_PHRASE:
        raise ValueError(f"phrase of {len(phrase)} characters; at most {MAX_PHRASE}")
    if len(phrase) < 2:
        raise ValueError(f"single-character phrase {phrase!r}; give the words around it too")
    require_visible("phrase", phrase)
    require_word("phrase", phrase)


def _require_clean(what: str, where: object, errors: Sequence[LineError]) -> None:
    if errors:
        shown = "; ".join(map(str, errors[:N_ERRORS_SHOWN]))
        raise ConfigError(f"{what} {where} has {len(errors)} bad lines: {shown}")
