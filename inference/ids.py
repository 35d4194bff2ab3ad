"""Ids that no other process gives."""

from __future__ import annotations

import itertools
import secrets


class Ids:
    """A random part per process and a count; safe from any thread."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(8)
        self._ascii = self._prefix.encode()
        self._count = itertools.count(1)

    def next(self) -> str:
        """Return a new id, 24 hexadecimal digits."""
        return f"{self._prefix}{next(self._count):08x}"

    def next_bytes(self) -> bytes:
        """Return a new id in ASCII."""
        return b"%b%08x" % (self._ascii, next(self._count))
