"""Patterns of `regex` terms: RE2 syntax, so that no pattern and no text takes more than linear time.

Owns the one place that compiles them; where they are searched is the matcher's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import re2

MAX_REGEX = 256
"""Characters of the longest pattern."""

MAX_REGEX_MEMORY_BYTES = 1 << 20
"""What one compiled pattern may take; the rest of a list must not pay for one line."""

_PROBES = ("", "a", " ", "aa", "  ", "a a")
"""Texts that hold every pair of neighbours an anchor can tell apart: start, end, word and other characters."""


class RegexMatch(Protocol):
    """Where a pattern was found."""

    def start(self) -> int:
        """Index of its first character."""
        ...

    def end(self) -> int:
        """Index behind its last character."""
        ...


class Regex(Protocol):
    """A compiled pattern; safe to use from every thread."""

    def search(self, text: str) -> RegexMatch | None:
        """Find it once, leftmost first."""
        ...

    def finditer(self, text: str) -> Iterator[RegexMatch]:
        """Find it everywhere, from left to right, without overlaps."""
        ...


def compile_regex(pattern: str) -> Regex:
    """Compile a pattern in RE2 syntax; upper and lower case are the same, for texts are folded before they are searched.

    Raises:
        ValueError: the pattern is too long or too large, is none, or matches without a single character.
    """
    if len(pattern) > MAX_REGEX:
        raise ValueError(f"regex of {len(pattern)} characters; at most {MAX_REGEX}")
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.max_mem = MAX_REGEX_MEMORY_BYTES
    try:
        compiled: Regex = re2.compile(pattern, options)
    except re2.error as exc:
        raise ValueError(f"regex {pattern!r} is none that RE2 reads: {_told(exc)}; it has no lookaround and no \\1") from None
    if any(match.start() == match.end() for probe in _PROBES for match in compiled.finditer(probe)):
        raise ValueError(f"regex {pattern!r} matches without a character; make a part of it compulsory, e.g. x+ for x*")
    return compiled


def _told(error: Exception) -> str:
    reason = error.args[0] if error.args else "unknown reason"
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
