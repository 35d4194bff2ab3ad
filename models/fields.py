"""Strict reading of a mapping that came out of a YAML file: right type or a message that names the field.

A field that is missing, of the wrong type, or not known is refused; a misspelt one is answered with its nearest name. Knows nothing
of what the fields mean.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml

from models.errors import ManifestError

T = TypeVar("T")


class Fields:
    """One mapping under read; every field is taken once, and `end` refuses what nobody took."""

    def __init__(self, value: object, *, where: str) -> None:
        """Begin reading.

        Args:
            value: what the YAML file gave.
            where: how messages name this mapping, e.g. `nudenet.yaml: classes[3]`.

        Raises:
            ManifestError: the value is not a mapping.
        """
        if not isinstance(value, Mapping):
            raise ManifestError(f"{where} must be a mapping, got {type(value).__name__}")
        self.where = where
        self._left: dict[str, Any] = {str(key): item for key, item in value.items()}
        self._known: list[str] = []

    def raw(self, key: str, default: object = None) -> Any:
        """Take a field as it is; the default where it is absent or null."""
        self._known.append(key)
        value = self._left.pop(key, None)
        return default if value is None else value

    def text(self, key: str, default: str | None = None) -> str:
        """Take a string; without a default it must be there."""
        return self._typed(key, str, "text", default)

    def optional_text(self, key: str) -> str | None:
        """Take a string, or None where it is absent."""
        value = self.raw(key)
        if value is not None and not isinstance(value, str):
            raise ManifestError(f"{self.where}: {key} must be text, got {value!r}")
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Take an integer; without a default it must be there."""
        return self._typed(key, int, "an integer", default)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """Take a boolean; without a default it must be there."""
        return self._typed(key, bool, "true or false", default)

    def number(self, key: str, default: float | None = None) -> float:
        """Take a number; an integer will do. Without a default it must be there."""
        return number(self._present(key, default), where=f"{self.where}: {key}")

    def items(self, key: str) -> list[Any]:
        """Take a list; empty where it is absent."""
        value = self.raw(key, [])
        if not isinstance(value, list):
            raise ManifestError(f"{self.where}: {key} must be a list, got {type(value).__name__}")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Take a mapping with text keys; empty where it is absent."""
        value = self.raw(key, {})
        if not isinstance(value, Mapping):
            raise ManifestError(f"{self.where}: {key} must be a mapping, got {type(value).__name__}")
        return {str(name): item for name, item in value.items()}

    def end(self) -> None:
        """Refuse fields that nobody took.

        Raises:
            ManifestError: naming the first of them and the nearest known name.
        """
        for key in self._left:
            near = difflib.get_close_matches(key, self._known, n=1)
            hint = f"did you mean {near[0]!r}" if near else f"known: {', '.join(sorted(self._known))}"
            raise ManifestError(f"{self.where}: unknown field {key!r}; {hint}")

    def _present(self, key: str, default: object) -> Any:
        value = self.raw(key, default)
        if value is None:
            raise ManifestError(f"{self.where}: {key} is missing")
        return value

    def _typed(self, key: str, kind: type[T], named: str, default: T | None) -> T:
        value = self._present(key, default)
        # True is an int to Python; a manifest that says `batch_axis: true` is still wrong.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ManifestError(f"{self.where}: {key} must be {named}, got {value!r}")
        return value


def number(value: object, *, where: str) -> float:
    """Read one finite number.

    Raises:
        ManifestError: it is not a number, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ManifestError(f"{where} must be a number, got {value!r}")
    if not abs(value) < float("inf"):
        raise ManifestError(f"{where} must be finite, got {value!r}")
    return float(value)


def read_yaml(text: str, *, where: str) -> object:
    """Parse YAML text safely.

    Raises:
        ManifestError: it is not YAML; says where.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        line = str(exc).replace("\n", " ")
        raise ManifestError(f"{where} is not valid YAML: {line}") from exc
