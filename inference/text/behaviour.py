"""How often the same text was said lately, by one user and by many in one room: counters with a bounded memory and exact expiry.

Pure: the time is an argument, and no decision is taken here; volume alone is no violation.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

WINDOW_S = 60.0
"""Length of the window, seconds; a text said exactly so long ago no longer counts."""

MAX_KEPT = 200_000
"""Texts remembered; the oldest is forgotten first (DROP_OLDEST) and counted in `n_forgotten`."""

MAX_KEY = 128
"""Characters of a folded text that tell it from another."""


@dataclass(frozen=True, slots=True)
class BehaviourCounts:
    """What was said like this in the last 60 seconds, this text included."""

    repeat_60s: int = 0
    """Times this user said it in this room."""
    similar_uids_60s: int = 0
    """Users who said it in this room."""


@dataclass(frozen=True, slots=True)
class _Said:
    at_s: float
    room_id: str
    uid: str
    folded: str


class Behaviour:
    """The counters of one process; one thread at a time."""

    def __init__(self, *, window_s: float = WINDOW_S, max_kept: int = MAX_KEPT) -> None:
        if max_kept < 1:
            raise ValueError(f"max_kept must be at least 1, got {max_kept}")
        self._window_s = window_s
        self._max_kept = max_kept
        self._said: deque[_Said] = deque()
        self._uids: dict[tuple[str, str], Counter[str]] = {}
        self.n_forgotten = 0
        """Texts forgotten before their time because memory was full."""

    def __len__(self) -> int:
        return len(self._said)

    def observe(self, room_id: str, uid: str, folded: str, now_s: float) -> BehaviourCounts:
        """Count one text and say how often it was said.

        Args:
            room_id: rooms are counted apart.
            uid: who says it.
            folded: the text without disguise, so that copies with other symbols count as one.
            now_s: monotonic seconds; must not go back.
        """
        while self._said and now_s - self._said[0].at_s >= self._window_s:
            self._forget()
        if len(self._said) >= self._max_kept:
            self._forget()
            self.n_forgotten += 1
        said = _Said(now_s, room_id, uid, folded[:MAX_KEY])
        self._said.append(said)
        uids = self._uids.setdefault((room_id, said.folded), Counter())
        uids[uid] += 1
        return BehaviourCounts(uids[uid], len(uids))

    def _forget(self) -> None:
        said = self._said.popleft()
        key = (said.room_id, said.folded)
        uids = self._uids[key]
        uids[said.uid] -= 1
        if not uids[said.uid]:
            del uids[said.uid]
        if not uids:
            del self._uids[key]
