"""Both implementations of the conversation contract behind one face, with a clock by hand: one suite runs over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inference.text.conversation import MAX_SPOKEN, Said, Windows
from inference.text.local_conversation import LocalConversation
from inference.text.redis_conversation import RedisConversation
from tests.redis_server import RedisServer


class Talk:
    """A conversation and its time."""

    def __init__(self, local: LocalConversation | None = None, shared: RedisConversation | None = None) -> None:
        self._local = local
        self.shared = shared
        self.now_s = 0.0

    async def say(self, uid: str, text: str, at_s: float, *, key: str | None = None, room: str = "9999") -> Said:
        self.now_s = at_s
        message = (room, uid, text if key is None else key, text, at_s)
        if self.shared is not None:
            return await self.shared.observe(*message)
        assert self._local is not None
        return self._local.observe(*message)

    async def say_many(self, messages: list[tuple[str, str, str]], at_s: float) -> list[Said]:
        """Messages as (room, user, text)."""
        self.now_s = at_s
        rooms, uids, texts = map(list, zip(*messages, strict=True))
        if self.shared is not None:
            return await self.shared.observe_many(rooms, uids, texts, texts, at_s)
        assert self._local is not None
        return self._local.observe_many(rooms, uids, texts, texts, at_s)

    def forget(self, uid: str, room: str = "9999") -> None:
        (self.shared or self._local).forget_earlier(room, uid)  # type: ignore[union-attr]


def local_talk(windows: Windows | None = None) -> Talk:
    return Talk(local=LocalConversation(windows))


@asynccontextmanager
async def redis_talk(server: RedisServer, windows: Windows | None = None) -> AsyncIterator[Talk]:
    """A conversation on a real server that must not fall back: it waits long, and its own counters are of no help."""
    talk = Talk()
    blind = LocalConversation(max_kept=1)
    shared = RedisConversation(
        server.address, windows=windows, local=blind, timeout_s=10.0, clock_us=lambda: round((talk.now_s + 1000) * 1e6)
    )
    async with shared:
        talk.shared = shared
        yield talk
        assert shared.n_alone == 0


class PlainModel:
    """The contract written down without any thought of speed."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._messages: list[tuple[float, str, str, str]] = []

    def say(self, room: str, uid: str, text: str, at_s: float) -> Said:
        windows = self._windows
        earlier = [text for _, text in self._of(room, at_s, windows.spoken_s, uid) if len(text) <= windows.piece_chars]
        self._messages.append((at_s, room, uid, text))
        alike = [who for who, what in self._of(room, at_s, windows.said_s) if what == text]
        spoken = len(self._of(room, at_s, windows.spoken_s, uid))
        pieces = windows.fit(tuple(earlier[-windows.n_joined :] if windows.n_joined else ()))
        return Said(alike.count(uid), len(set(alike)), min(spoken, MAX_SPOKEN), pieces)

    def _of(self, room: str, at_s: float, window_s: float, uid: str | None = None) -> list[tuple[str, str]]:
        return [
            (who, text)
            for when, where, who, text in self._messages
            if where == room and round((at_s - when) * 1e6) < window_s * 1e6 and (uid is None or who == uid)
        ]
