"""What one term of a word list says, read from the values of its line; a refusal names the value and what would be right.

Knows neither files (`list_files.py`) nor how a term is looked for (`patterns.py`).
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from inference.samples import Scene
from inference.text.regexes import compile_regex

MAX_TERM = 64
"""Characters of the longest term, and of the longest part of a combination."""

MAX_NOTE = 200
"""Characters of the longest owner or reason."""

DEFAULT_WITHIN = 20
"""Characters a combination may spread over where it does not say."""

MAX_WITHIN = 200
"""Characters the widest combination may spread over; words further apart are not one statement."""

PART_COUNTS = range(2, 5)
"""How many parts a combination may have."""

_ZERO_WIDTH_JOINER = "\u200d"
"""Holds emoji together (👨‍👩‍👧); every other invisible character in a term is a mistake."""

_WITHIN = re.compile(r"(?P<parts>.+?)(?:\s+within\s*|\s*间隔\s*)(?P<within>\d{1,6})", re.IGNORECASE | re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d{2}:\d{2})")

GivenT = TypeVar("GivenT")
ValueT = TypeVar("ValueT")


class Mode(StrEnum):
    """How much disguise is seen through for a term, and how its text is read."""

    EXACT = "exact"
    """Width, case, script and invisible characters only."""
    FOLD = "fold"
    """Also inserted symbols, repetition, emoji and other ways to write a concept."""
    PINYIN = "pinyin"
    """Also homophones and pinyin."""
    REGEX = "regex"
    """A pattern in RE2 syntax, in lower case and simplified script."""
    COMBINATION = "combination"
    """Words that must all occur near each other, in any order: `加+群 within 8`."""


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a word list."""

    text: str
    """As the list writes it."""
    label: str
    """Code of the taxonomy."""
    level: int
    """1 worth a look, 2 unwelcome, 3 never."""
    scenes: frozenset[Scene] = frozenset()
    """Scenes it counts in; empty for all."""
    mode: Mode = Mode.FOLD
    parts: tuple[str, ...] = ()
    """Of a combination: the words that must all occur."""
    within: int = 0
    """Of a combination: at most so many characters from the start of its first part to the end of its last; else 0."""
    owner: str = ""
    """Who answers for it."""
    reason: str = ""
    """Why it is on the list."""
    expires: datetime | None = None
    """Aware UTC; it counts strictly before. None for ever."""

    def counts_at(self, now: datetime) -> bool:
        """Tell whether it still counts at a moment (aware)."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True, slots=True)
class Wording:
    """A term's text as its mode reads it; fields as in `Term`."""

    text: str
    parts: tuple[str, ...] = ()
    within: int = 0


_NO_WORDING = Wording("")


def term_of(values: Mapping[str, str], check_label: Callable[[str], object]) -> Term:
    """Build a term from the values of one line.

    Args:
        values: by column: `term`, `label`, `level`, and where there are such `scenes`, `mode`, `owner`, `reason`, `expires`.
        check_label: raises ValueError for a code that the taxonomy does not have.

    Raises:
        ValueError: values are not ones that are known; says of each what would be right.
    """
    problems: list[str] = []
    mode = _tried(problems, _mode, values.get("mode", ""), Mode.FOLD)
    wording = _tried(problems, _wording, (values["term"].strip(), mode), _NO_WORDING)
    label = values["label"].strip()
    _tried(problems, check_label, label, None)
    level = _tried(problems, _level, values["level"].strip(), 0)
    scenes = _tried(problems, _scenes, values.get("scenes", ""), frozenset[Scene]())
    owner = _tried(problems, _note, ("owner", values.get("owner", "")), "")
    reason = _tried(problems, _note, ("reason", values.get("reason", "")), "")
    expires = _tried(problems, _expiry, values.get("expires", ""), None)
    if problems:
        raise ValueError("; ".join(problems))
    return Term(wording.text, sys.intern(label), level, scenes, mode, wording.parts, wording.within, owner, reason, expires)


def _tried(problems: list[str], read: Callable[[GivenT], ValueT], given: GivenT, otherwise: ValueT) -> ValueT:
    """Read one value; what is wrong with it joins the problems, so that a line is told everything at once."""
    try:
        return read(given)
    except ValueError as exc:
        problems.append(str(exc))
        return otherwise


def require_visible(what: str, text: str) -> None:
    """Refuse characters that nobody sees in a list.

    Raises:
        ValueError: a control, format or unassigned character; says which and where.
    """
    if text.isprintable():
        return
    for place, char in enumerate(text):
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and char != _ZERO_WIDTH_JOINER:
            raise ValueError(f"{what} {text!r} has the control character U+{ord(char):04X} at {place}; delete it")


def parse_combination(text: str) -> Wording:
    """Read `A+B within 12` or `A+B 间隔12`: the parts, and how many characters they may spread over.

    Raises:
        ValueError: too few or many parts, an empty or long one, or a distance that cannot be.
    """
    said = _WITHIN.fullmatch(text)
    parts = tuple(part.strip() for part in re.split(r"[+＋]", said["parts"] if said else text))
    if not all(parts):
        raise ValueError(f"combination {text!r} has an empty part; join words with one +, e.g. 加+群 within 8")
    if len(parts) not in PART_COUNTS:
        known = f"{PART_COUNTS.start}..{PART_COUNTS.stop - 1}"
        raise ValueError(f"combination {text!r} has {len(parts)} parts; give {known} joined by +, e.g. 加+群 within 8")
    for part in parts:
        if len(part) > MAX_TERM:
            raise ValueError(f"part of {len(part)} characters; at most {MAX_TERM}")
        require_word("part", part)
    shortest = sum(map(len, parts))
    within = int(said["within"]) if said else max(DEFAULT_WITHIN, shortest)
    if not shortest <= within <= MAX_WITHIN:
        raise ValueError(f"combination within {within}; give {shortest}, which its parts need, to {MAX_WITHIN}")
    return Wording(text, parts, within)


def parse_expiry(text: str) -> datetime:
    """Read a date, meant to its end in UTC, or an RFC 3339 time.

    Raises:
        ValueError: neither, or no such day.
    """
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise ValueError(f"expires {text!r}: {exc}; write 2026-12-31 or 2026-12-31T18:00:00+08:00") from None
    raise ValueError(f"expires {text!r} is no date; write 2026-12-31 or, with its offset, 2026-12-31T18:00:00+08:00")


def _wording(given: tuple[str, Mode]) -> Wording:
    """Check a term's text as its mode reads it."""
    text, mode = given
    require_visible("term", text)
    if mode is Mode.COMBINATION:
        return parse_combination(text)
    if mode is Mode.REGEX:
        compile_regex(text)
        return Wording(text)
    if len(text) > MAX_TERM:
        raise ValueError(f"term of {len(text)} characters; at most {MAX_TERM}")
    if len(text) < 2:
        raise ValueError(f"single-character term {text!r}; give a word of two and more, or combine it: {text}+… within 8")
    require_word("term", text)
    return Wording(text)


def require_word(what: str, text: str) -> None:
    """Refuse a text that is nothing but punctuation and spaces: every second line holds it."""
    if not text.isalnum() and all(unicodedata.category(char)[0] in "PZ" for char in text):
        raise ValueError(f"{what} {text!r} is punctuation only; give letters, digits or emoji")


def _level(raw: str) -> int:
    if raw not in {"1", "2", "3"}:
        raise ValueError(f"unknown level {raw!r}; known: 1, 2, 3")
    return int(raw)


@lru_cache(maxsize=256)
def _mode(raw: str) -> Mode:
    mode = raw.strip().lower() or Mode.FOLD
    if mode not in list(Mode):
        raise ValueError(f"unknown mode {mode!r}; known: {', '.join(Mode)}")
    return Mode(mode)


@lru_cache(maxsize=256)
def _scenes(raw: str) -> frozenset[Scene]:
    names = [part.strip().lower() for part in raw.split("|") if part.strip()]
    if unknown := [name for name in names if name not in list(Scene)]:
        raise ValueError(f"unknown scene {unknown[0]!r}; known: {', '.join(Scene)}, joined by |")
    return frozenset(map(Scene, names))


@lru_cache(maxsize=256)
def _note(given: tuple[str, str]) -> str:
    what, note = given[0], given[1].strip()
    if len(note) > MAX_NOTE:
        raise ValueError(f"{what} of {len(note)} characters; at most {MAX_NOTE}")
    require_visible(what, note)
    return note


@lru_cache(maxsize=256)
def _expiry(raw: str) -> datetime | None:
    return parse_expiry(raw.strip()) if raw.strip() else None
