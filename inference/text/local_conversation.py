"""The conversations of one process: the hot path of every danmaku, counters with a bounded memory and exact expiry.

Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from inference.text.conversation import FIRST, MAX_SPOKEN, Said, Windows

MAX_KEPT = 200_000
"""Messages remembered by one process; 90 MiB when full of real chat (benchmarks/bench_conversation.py)."""

_HALF_STEP_S = 5e-7
"""Seconds in floating point are told apart to the microsecond: 119.999 - 60 is a little less than 59.999, and must not be."""

_STEP = 64
"""Messages after which what has expired is removed; before every count that it could change it is removed anyway."""

_Message = tuple[float, str, str, int, str]
"""When, piece, room, digest of the key, user."""

_Spoken = tuple[Any, ...]
"""The one message of a user; or that message, then flat and newest first when and piece of it and of those before it."""

_Room = tuple[dict[int, Any], dict[str, _Spoken], str]
"""By digest who said it: a user, or users with their counts; by user what they said; the room's id, one object for all messages."""


class LocalConversation:
    """The conversations of one process; see `Conversation`.

    Every message is one tuple, held by a queue in which it expires and by its user until the next. Tuples of strings and numbers,
    because the garbage collector stops looking into those: 200,000 objects that it walks in each full collection held up every
    request for 50 ms. Texts are told apart by their 64-bit hash, which the interpreter keys anew per process.
    """

    def __init__(self, windows: Windows | None = None, *, max_kept: int = MAX_KEPT) -> None:
        if max_kept < 1:
            raise ValueError(f"max_kept must be at least 1, got {max_kept}")
        self._windows = windows or Windows()
        # plain copies of what the hot path reads
        self._said_s, self._spoken_s = self._windows.said_s - _HALF_STEP_S, self._windows.spoken_s - _HALF_STEP_S
        self._n_joined, self._piece_chars = self._windows.n_joined, self._windows.piece_chars
        self._always_fit = self._n_joined * self._piece_chars < self._windows.joined_chars
        self._max_kept = max_kept
        self._kept: deque[_Message] = deque()
        self._rooms: dict[str, _Room] = {}
        self._look_at = min(_STEP, max_kept)
        self._now_s = float("-inf")
        self.n_forgotten = 0
        """Messages forgotten before their time because memory was full, oldest first (DROP_OLDEST)."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def n_rooms(self) -> int:
        """Rooms that something is remembered of."""
        return len(self._rooms)

    def observe(self, room_id: str, uid: str, key: str, text: str, now_s: float) -> Said:
        """Count one message, see `Conversation.observe`; `observe_many` is the same loop, change both."""
        if now_s < self._now_s:
            now_s = self._now_s
        self._now_s = now_s
        kept = self._kept
        if len(kept) >= self._look_at:
            self._make_room(now_s)
        try:
            texts, users, room_id = self._rooms[room_id]
        except KeyError:
            texts, users, _ = self._rooms[room_id] = ({}, {}, room_id)
        digest = hash(key)
        message = (now_s, text if len(text) <= self._piece_chars else "", room_id, digest, uid)
        kept.append(message)
        before = users.get(uid)
        users[uid] = message  # from here on the room is in use: expiring what is old does not close it
        if digest in texts:
            repeat, similar = self._said_again(texts, message)
            return self._spoke_again(users, before, message, repeat, similar)
        texts[digest] = uid
        return FIRST if before is None else self._spoke_again(users, before, message, 1, 1)

    def observe_many(
        self, rooms: Sequence[str], uids: Sequence[str], keys: Sequence[str], texts: Sequence[str], now_s: float
    ) -> list[Said]:
        """Count messages that came together, in their order: `observe` for each, in less time; room is made for all of them first.

        Raises:
            ValueError: the sequences are not equally long.
        """
        if not len(rooms) == len(uids) == len(keys) == len(texts):
            raise ValueError(
                f"got {len(rooms)} rooms, {len(uids)} uids, {len(keys)} keys, {len(texts)} texts; one of each a message"
            )
        if len(keys) > self._max_kept:
            return [self.observe(*message, now_s) for message in zip(rooms, uids, keys, texts, strict=True)]
        self._now_s = now_s = max(now_s, self._now_s)
        self._expire(now_s)
        if (n_over := len(self._kept) + len(keys) - self._max_kept) > 0:
            self._expire(now_s, n_forgotten=n_over)
        keep, open_rooms, piece_chars = self._kept.append, self._rooms, self._piece_chars
        counted: list[Said] = []
        count = counted.append
        for room_id, uid, digest, text in zip(rooms, uids, map(hash, keys), texts, strict=True):
            try:
                said, users, room_id = open_rooms[room_id]  # the one object that all its messages share
            except KeyError:
                said, users, _ = open_rooms[room_id] = ({}, {}, room_id)
            message = (now_s, text if len(text) <= piece_chars else "", room_id, digest, uid)
            keep(message)
            before = users.get(uid)
            users[uid] = message
            if digest in said:
                repeat, similar = self._said_again(said, message)
                count(self._spoke_again(users, before, message, repeat, similar))
                continue
            said[digest] = uid
            count(FIRST if before is None else self._spoke_again(users, before, message, 1, 1))
        return counted

    def forget_earlier(self, room_id: str, uid: str) -> None:
        """Join nothing this user has said so far, see `Conversation.forget_earlier`."""
        room = self._rooms.get(room_id)
        spoken = room[1].get(uid) if room else None
        if room is None or spoken is None:
            return
        newest, times = (spoken[0], spoken[1::2]) if spoken[0].__class__ is tuple else (spoken, (spoken[0],))
        room[1][uid] = (newest, *(part for at_s in times for part in (at_s, "")))

    def sweep(self, now_s: float, *, at_most: int = 2000) -> int:
        """Remove some of what has expired; returns how many messages.

        `observe` needs no help to be exact. Called now and then while nothing is said, this spares the next message the removal of
        a whole busy minute (0.3 to 2 µs a message).
        """
        before = len(self._kept)
        self._now_s = now_s = max(now_s, self._now_s)
        self._expire(now_s, at_least=max(0, before - at_most))
        return before - len(self._kept)

    def _said_again(self, texts: dict[int, Any], message: _Message) -> tuple[int, int]:
        """Count a text that is known, if only as expired; returns its repeats by this user and its users."""
        now_s, _, _, digest, uid = message
        if self._kept[0][0] <= now_s - self._said_s:
            self._expire(now_s)
        by = texts.get(digest)
        if by.__class__ is dict:
            repeat = by[uid] = by.get(uid, 0) + 1
            return repeat, len(by)
        if by is None:
            texts[digest] = uid
            return 1, 1
        if by == uid:
            texts[digest] = {uid: 2}
            return 2, 1
        texts[digest] = {by: 1, uid: 1}
        return 1, 2

    def _spoke_again(self, users: dict[str, _Spoken], before: _Spoken | None, message: _Message, repeat: int, similar: int) -> Said:
        """Add a message to those of its user, and say what is known of both."""
        if before is None:
            return Said(repeat, similar)
        now_s, piece, _, _, uid = message
        edge_s = now_s - self._spoken_s
        if before[0].__class__ is not tuple:
            if before[0] <= edge_s:
                return Said(repeat, similar)
            before = (before, before[0], before[1])
        n = min(len(before), 2 * MAX_SPOKEN - 1)
        while n > 1 and before[n - 2] <= edge_s:
            n -= 2
        if n == 1:
            return Said(repeat, similar)
        users[uid] = (message, now_s, piece, *before[1:n])
        earlier = before[min(n - 1, 2 * self._n_joined) : 0 : -2]
        if "" in earlier:
            earlier = tuple([one for one in before[2:n:2] if one][: self._n_joined][::-1])
        return Said(repeat, similar, (n + 1) // 2, earlier if self._always_fit else self._windows.fit(earlier))

    def _make_room(self, now_s: float) -> None:
        """Remove what has expired; where memory is full of what has not, forget the oldest, a few at once."""
        kept = self._kept
        full = len(kept) >= self._max_kept and kept[0][0] > now_s - self._said_s
        self._expire(now_s, n_forgotten=max(1, min(_STEP, self._max_kept // 1024)) if full else 0)

    def _expire(self, now_s: float, *, n_forgotten: int = 0, at_least: int = 0) -> None:
        """Remove what has expired, down to `at_least` messages, and `n_forgotten` whose time is not up."""
        kept, rooms, edge_s = self._kept, self._rooms, now_s - self._said_s
        next_of = kept.popleft
        while len(kept) > at_least:
            if kept[0][0] > edge_s:
                if not n_forgotten:
                    break
                n_forgotten -= 1
                self.n_forgotten += 1
            message = next_of()
            _, _, room_id, digest, uid = message
            texts, users, _ = rooms[room_id]
            by = texts[digest]
            if by is uid:
                del texts[digest]
            elif by[uid] > 1:
                by[uid] -= 1
            else:
                del by[uid]
                if not by:
                    del texts[digest]
            spoken = users[uid]
            if spoken is message or spoken[0] is message:
                del users[uid]
                if not users:
                    del rooms[room_id]
        self._look_at = min(len(kept) + _STEP, self._max_kept)
