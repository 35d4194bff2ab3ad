"""How often the same text was said lately, by one user and by many in one room: counters with a bounded memory and exact expiry.

Pure: the time is an argument, and no decision is taken here; volume alone is no violation.
"""

from __future__ import annotations

from collections import deque
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


class Behaviour:
    """The counters of one process; one thread at a time."""

    def __init__(self, *, window_s: float = WINDOW_S, max_kept: int = MAX_KEPT) -> None:
        if max_kept < 1:
            raise ValueError(f"max_kept must be at least 1, got {max_kept}")
        self._window_s = window_s
        self._max_kept = max_kept
        # plain tuples of strings and numbers, because the garbage collector does not look into those: 200,000 objects that it
        # walks in each full collection held up every request for 50 ms (benchmarks/bench_text_http.py)
        self._said: deque[tuple[float, tuple[str, str], str]] = deque()
        self._uids: dict[tuple[str, str], dict[str, int]] = {}
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
        while self._said and now_s - self._said[0][0] >= self._window_s:
            self._forget()
        if len(self._said) >= self._max_kept:
            self._forget()
            self.n_forgotten += 1
        key = (room_id, folded[:MAX_KEY])
        self._said.append((now_s, key, uid))
        uids = self._uids.setdefault(key, {})
        uids[uid] = uids.get(uid, 0) + 1
        return BehaviourCounts(uids[uid], len(uids))

    def _forget(self) -> None:
        _, key, uid = self._said.popleft()
        uids = self._uids[key]
        uids[uid] -= 1
        if not uids[uid]:
            del uids[uid]
        if not uids:
            del self._uids[key]
