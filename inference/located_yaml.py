"""Strict reading of YAML files that people write by hand: each value knows its line, all mistakes are told at once.

Owns syntax: size, depth, duplicate and unknown keys, types and ranges. What the fields mean is the caller's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import yaml

MAX_BYTES = 256 * 1024
"""Largest file that is read; the shipped policies take about 10 KiB."""

MAX_DEPTH = 12
"""Deepest nesting that is read; a policy needs five."""

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


@dataclass(slots=True)
class Problems:
    """What is wrong with one file, in the order it was found."""

    file: str
    lines: list[str] = field(default_factory=list)

    def add(self, line: int, key: str, message: str) -> None:
        """Note one mistake; `key` is the path of keys that leads to it, empty for the file as a whole."""
        self.lines.append(f"{self.file}, line {line}: {key + ': ' if key else ''}{message}")


@dataclass(frozen=True, slots=True)
class Located:
    """One value of the file and the line it stands on."""

    value: Any
    """A scalar, a tuple of `Located`, or a dict of `Located` by key."""
    line: int
    """Counted from 1."""


def read_documents(text: str, problems: Problems) -> list[Located]:
    """Parse every document of a YAML text; empty where the text cannot be parsed, which is then among the problems.

    Aliases are refused: they are how a small file becomes a large one, and `inherits` says the same thing better.
    """
    if len(text.encode()) > MAX_BYTES:
        problems.add(1, "", f"file is larger than {MAX_BYTES // 1024} KiB; split it into several")
        return []
    try:
        if not _is_tame(text, problems):
            return []
        loader = yaml.SafeLoader(text)
        documents = []
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node has just said so
            documents.append(_locate(loader, node, problems, ""))
        return documents
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        problems.add(mark.line + 1 if mark else 1, "", f"not valid YAML: {' '.join(str(what).split())}")
        return []


def _is_tame(text: str, problems: Problems) -> bool:
    """Look at the event stream first: composing nodes recurses, so depth has to be known before."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        assert event.start_mark is not None  # every event of a text has its place
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            problems.add(line, "", f"alias *{event.anchor} is not allowed; write the value out, or use inherits")
            return False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            problems.add(line, "", f"nested deeper than {MAX_DEPTH} levels")
            return False
    return True


def _locate(loader: yaml.SafeLoader, node: yaml.Node, problems: Problems, path: str) -> Located:
    assert node.start_mark is not None  # every node of a text has its place
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        parts = (_locate(loader, part, problems, f"{path}[{index}]") for index, part in enumerate(node.value))
        return Located(tuple(parts), line)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Located] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            where = f"{path}.{key}" if path else key
            if key in entries:
                problems.add(key_node.start_mark.line + 1, where, "is there twice; keep one")
            entries[key] = _locate(loader, value_node, problems, where)
        return Located(entries, line)
    return Located(loader.construct_object(node, deep=True), line)


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, and otherwise which there are."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(words)}"


class Section:
    """One mapping under read. Each field is taken once; `end` tells what nobody took.

    Every reading method returns None where the field is absent or null, and where it is wrong, which is then among the problems.
    """

    def __init__(self, located: Located, path: str, problems: Problems) -> None:
        self.path = path
        self.line = located.line
        self.problems = problems
        self._known: list[str] = []
        self._left: dict[str, Located] = {}
        if isinstance(located.value, dict):
            self._left = dict(located.value)
        else:
            problems.add(located.line, path, f"must be a mapping of keys to values, got {_shown(located.value)}")

    def where(self, key: str) -> str:
        """Path of a field, as messages name it."""
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str) -> Located | None:
        """Take a field as it is; null reads as absent."""
        self._known.append(key)
        located = self._left.pop(key, None)
        return located if located is not None and located.value is not None else None

    def keys(self) -> list[str]:
        """List the keys that are not taken yet."""
        return list(self._left)

    def lifts(self, key: str, word: str) -> bool:
        """Take a field if it reads as this word, e.g. `never` where a number would be; else leave it to be read."""
        located = self._left.get(key)
        if located is None or located.value != word:
            return False
        self.take(key)
        return True

    def wrong(self, key: str, located: Located, message: str) -> None:
        """Note that a field's value cannot work."""
        self.problems.add(located.line, self.where(key), message)

    def text(self, key: str) -> str | None:
        """Take a string that is not empty."""
        located = self.take(key)
        if located is None:
            return None
        if isinstance(located.value, str) and located.value:
            return located.value
        self.wrong(key, located, f"must be text, got {_shown(located.value)}; put it in quotes")
        return None

    def flag(self, key: str) -> bool | None:
        """Take true or false."""
        located = self.take(key)
        if located is None or isinstance(located.value, bool):
            return located.value if located else None
        self.wrong(key, located, f"must be true or false, got {_shown(located.value)}")
        return None

    def number(self, key: str, low: float, high: float) -> float | None:
        """Take a number within `[low, high]`."""
        located = self.take(key)
        if located is None:
            return None
        value = located.value
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        self.wrong(key, located, f"must be a number from {low:g} to {high:g}, got {_shown(value)}")
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """Take a whole number within `[low, high]`."""
        located = self.take(key)
        if located is None:
            return None
        value = located.value
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.wrong(key, located, f"must be a whole number from {low} to {high}, got {_shown(value)}")
        return None

    def choice(self, key: str, kind: type[ChoiceT]) -> ChoiceT | None:
        """Take one member of a closed set, by its value."""
        located = self.take(key)
        return None if located is None else self._member(key, located, kind)

    def choices(self, key: str, kind: type[ChoiceT]) -> tuple[ChoiceT, ...] | None:
        """Take one member of a closed set or a list of them."""
        parts = self.several(key)
        if parts is None:
            return None
        members = (self._member(key, part, kind) for part in parts)
        return tuple(member for member in members if member is not None)

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Take a string or a list of strings."""
        parts = self.several(key)
        if parts is None:
            return None
        for part in parts:
            if not isinstance(part.value, str) or not part.value:
                self.wrong(key, part, f"must be text, got {_shown(part.value)}; put it in quotes")
        return tuple(part.value for part in parts if isinstance(part.value, str) and part.value)

    def several(self, key: str) -> Sequence[Located] | None:
        """Take a list; a single value reads as a list of one."""
        located = self.take(key)
        if located is None:
            return None
        return located.value if isinstance(located.value, tuple) else (located,)

    def section(self, key: str) -> Section | None:
        """Take a mapping."""
        located = self.take(key)
        return None if located is None else Section(located, self.where(key), self.problems)

    def sections(self, key: str) -> list[Section]:
        """Take a list of mappings; empty where it is absent."""
        located = self.take(key)
        if located is None:
            return []
        if not isinstance(located.value, tuple):
            self.wrong(key, located, f"must be a list (lines that begin with '- '), got {_shown(located.value)}")
            return []
        return [Section(part, f"{self.where(key)}[{index}]", self.problems) for index, part in enumerate(located.value)]

    def end(self) -> None:
        """Tell the keys that nobody took, each with the nearest known one."""
        for key, located in self._left.items():
            self.problems.add(located.line, self.where(key), f"unknown key; {nearest(key, self._known)}")

    def _member(self, key: str, located: Located, kind: type[ChoiceT]) -> ChoiceT | None:
        known = [member.value for member in kind]
        if located.value in known:
            return kind(located.value)
        hint = nearest(str(located.value), known)
        self.wrong(key, located, f"unknown value {_shown(located.value)}; {hint}")
        return None


def _shown(value: Any) -> str:
    """Show a wrong value shortly; of a whole section its kind is enough."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
