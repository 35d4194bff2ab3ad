"""One version of a tenant's list as it lies on disk, with what was noted at its import.

Reads; what writes, switches and sweeps is `list_store.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from inference.errors import ConfigError
from inference.text.lexicon import list_mark, read_mark

_NOTES = "notes"


class Kind(StrEnum):
    """What a list does with a text that holds one of its lines."""

    BLOCK = "block"
    """Its terms are looked for."""
    ALLOW = "allow"
    """Its phrases suppress the hits they overlap."""

    @property
    def suffix(self) -> str:
        """How its files end."""
        return ".csv" if self is Kind.BLOCK else ".txt"


@dataclass(frozen=True, slots=True)
class Notes:
    """What is remembered of an import beside the list itself."""

    at: datetime
    """When, aware."""
    owner: str = ""
    """Who answers for the list."""
    source: str = ""
    """Name of the file it came from."""
    false_hit_rate: float | None = None
    """Share of ordinary lines it hit when it was checked, 0..1; None where nobody checked."""
    n_lines: int = 0
    """Terms or phrases in it; counted when it is published."""

    def mark(self, name: str, version: int) -> str:
        """Write the first line of the version's file."""
        return list_mark(name, version, **{_NOTES: msgspec.to_builtins(self)})


@dataclass(frozen=True, slots=True)
class StoredList:
    """One version of a list."""

    name: str
    version: int
    kind: Kind
    path: Path
    is_live: bool = False

    @property
    def ref(self) -> str:
        """`name@version`, as answers carry it."""
        return f"{self.name}@{self.version}"

    def notes(self) -> Notes | None:
        """Read what was noted at its import; None for a file that does not say.

        Raises:
            ConfigError: the file cannot be read.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                mark = read_mark(file.readline().rstrip("\n"))
        except (OSError, UnicodeDecodeError) as exc:
            raise self._unreadable(exc) from exc
        try:
            return msgspec.convert(mark[_NOTES], Notes) if mark is not None and _NOTES in mark else None
        except msgspec.ValidationError:
            return None  # written by hand or by another version: the list itself still counts

    def text(self) -> str:
        """Return the list as a file of its own, without the store's note.

        Raises:
            ConfigError: the file cannot be read.
        """
        try:
            text = self.path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise self._unreadable(exc) from exc
        first, _, rest = text.partition("\n")
        return rest if read_mark(first) is not None else text

    def _unreadable(self, error: Exception) -> ConfigError:
        return ConfigError(f"cannot read {self.ref}: {error}; roll the list back to another version")
