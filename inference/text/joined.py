"""A message written in pieces, one character a line: the earlier pieces and the present message as one text, and the way back.

What is found in the joined text is true of the present message only where it needs both: what lies in the earlier messages alone
was judged when they came, and what lies in the present one alone is found without joining.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.verdicts import Span

MAX_CHARS = 64
"""Code points of a joined text."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Earlier messages of one user and the present one, joined without a gap."""

    text: str
    """Code points of all of them; of the present message only what fits into the window."""
    start: int
    """Where the present message begins in `text`."""
    n_messages: int
    """Earlier messages in front of it, at least 1."""

    @classmethod
    def of(cls, earlier: Sequence[str], text: str, *, max_chars: int = MAX_CHARS) -> Joined | None:
        """Join messages, oldest first; None where there is nothing to join."""
        before = "".join(earlier)
        if not before or not text or len(before) >= max_chars:
            return None
        return cls(before + text[: max_chars - len(before)], len(before), len(earlier))

    def present(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        """Return what a hit covers of the present message, in its own code points; () where the hit does not need both parts.

        Args:
            spans: of one hit, in `text`.
        """
        if not any(span.start < self.start for span in spans):
            return ()
        return tuple(
            Span(max(span.start, self.start) - self.start, span.end - self.start) for span in spans if span.end > self.start
        )
