"""The conversations of several replicas together, on Redis: the same answers as `LocalConversation`, or that one's own in time.

Messages that wait together go to Redis in one round trip, one Lua call each, over one connection that one task owns. Whatever fails
there costs a message at most the time-out: it is then answered from this replica's own counters, which see every message too, and
`degraded` says so until Redis answers again. Neither side's counts are carried over.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from inference.errors import NotReady
from inference.text.conversation import Said, Windows
from inference.text.local_conversation import LocalConversation
from inference.text.redis_address import RedisAddress
from inference.text.redis_link import RedisLink
from inference.text.redis_script import RoomScripts

log = logging.getLogger(__name__)

TIMEOUT_S = 0.020
"""A message waits so long for Redis, seconds, from `observe` on."""

CONNECT_TIMEOUT_S = 1.0
"""Nobody waits for it: while there is no connection, messages are answered from this replica's counters."""

MAX_WAITING = 10_000
"""Messages that wait for Redis at once; more are answered by this replica alone (REJECT)."""

MAX_BATCH = 256
"""Messages in one round trip."""

_FIRST_RETRY_S, _LAST_RETRY_S = 0.05, 2.0
"""The first new connection is tried at once, the next after so long, then after twice as long, up to so long."""


@dataclass(slots=True)
class _Waiting:
    command: bytes
    until_s: float
    """On the event loop's clock."""
    answer: asyncio.Future[bytes | None] | None
    """None in it: Redis did not answer. None instead of it: nobody waits."""


class RedisConversation:
    """Counts messages by room and user over all replicas; for one event loop. See `Conversation` for what is counted.

    Needs Redis 6 or later. `async with`, or `start` and `close`; before and after, it answers from this replica's counters.
    """

    def __init__(
        self,
        address: RedisAddress,
        *,
        local: LocalConversation | None = None,
        windows: Windows | None = None,
        timeout_s: float = TIMEOUT_S,
        prefix: str = "livewarden",
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        """Take the settings; connects only in `start`.

        Args:
            address: where Redis is.
            local: this replica's counters, with the same windows; new ones by default.
            windows: how far back is looked.
            timeout_s: how long a message waits for Redis, seconds.
            prefix: how every key begins; deployments that share a server and not their rooms have different ones.
            clock_us: microseconds that all replicas agree on; the server's clock by default.
        """
        if timeout_s <= 0:
            raise ValueError(f"timeout_s must be over 0, got {timeout_s}")
        windows = windows or Windows()
        self._address = address
        self._local = local or LocalConversation(windows)
        self._scripts = RoomScripts(windows, prefix=prefix)
        self._link = RedisLink(address, connect_timeout_s=CONNECT_TIMEOUT_S)
        self._timeout_s = timeout_s
        self._clock_us = clock_us
        self._waiting: deque[_Waiting] = deque()
        self._under_way: list[_Waiting] = []
        self._wanted, self._shared, self._tried = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._retry_s = 0.0
        self.n_alone = 0
        """Messages answered from this replica's counters."""
        self.n_outages = 0
        """Times Redis was lost, or was not there at the start."""

    def __repr__(self) -> str:
        return f"RedisConversation({self._address}, {'degraded' if self.degraded else 'shared'})"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def degraded(self) -> bool:
        """Whether messages are counted by this replica alone."""
        return not self._shared.is_set()

    async def start(self) -> None:
        """Begin to keep a connection; returns after the first attempt, successful or not."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="redis-conversation")
            await self._tried.wait()

    async def close(self) -> None:
        """Answer who still waits, and drop the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._give_up()
            self._tried.clear()
            await self._link.close()

    async def wait_shared(self) -> None:
        """Wait until messages are counted over all replicas."""
        await self._shared.wait()

    async def observe(self, room_id: str, uid: str, key: str, text: str, now_s: float) -> Said:
        """Count one message, see `Conversation.observe`; never raises and never waits longer than the time-out.

        `now_s` is this replica's clock, for its own counters; between replicas the server's clock counts.
        """
        alone = self._local.observe(room_id, uid, key, text, now_s)
        return await self._answer(self._ask(room_id, uid, key, text), alone)

    async def observe_many(
        self, rooms: Sequence[str], uids: Sequence[str], keys: Sequence[str], texts: Sequence[str], now_s: float
    ) -> list[Said]:
        """Count messages that came together, in their order and in one round trip.

        Raises:
            ValueError: the sequences are not equally long.
        """
        alone = self._local.observe_many(rooms, uids, keys, texts, now_s)
        asked = [self._ask(*message) for message in zip(rooms, uids, keys, texts, strict=True)]
        return [await self._answer(answer, said) for answer, said in zip(asked, alone, strict=True)]

    def forget_earlier(self, room_id: str, uid: str) -> None:
        """Join nothing this user has said so far, see `Conversation.forget_earlier`; goes to Redis before the next message does."""
        self._local.forget_earlier(room_id, uid)
        if not self.degraded and len(self._waiting) < MAX_WAITING:
            self._send(self._scripts.forget(room_id, uid), None)

    def _ask(self, room_id: str, uid: str, key: str, text: str) -> asyncio.Future[bytes | None] | None:
        if self.degraded or len(self._waiting) >= MAX_WAITING:
            return None
        now_us = None if self._clock_us is None else self._clock_us()
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._send(self._scripts.observe(room_id, uid, key, text, now_us=now_us), answer)
        return answer

    def _send(self, command: bytes, answer: asyncio.Future[bytes | None] | None) -> None:
        self._waiting.append(_Waiting(command, asyncio.get_running_loop().time() + self._timeout_s, answer))
        self._wanted.set()

    async def _answer(self, asked: asyncio.Future[bytes | None] | None, alone: Said) -> Said:
        reply = None if asked is None else await asked
        if reply is None:
            self.n_alone += 1
            return alone
        return self._scripts.said(reply)

    async def _run(self) -> None:
        """Keep a connection and serve over it, for ever; every way out of serving answers who waits."""
        while True:
            try:
                await self._link.open(self._scripts.sources)
                log.info("conversations are shared", extra={"redis": str(self._address)})
                self._shared.set()
                self._tried.set()
                await self._serve()
            except Exception as exc:  # noqa: BLE001  border of the connection: answer everybody, then try again
                self._lost(exc)
            await self._link.close()
            await asyncio.sleep(self._retry_s)
            self._retry_s = min(max(2 * self._retry_s, _FIRST_RETRY_S), _LAST_RETRY_S)

    async def _serve(self) -> None:
        waiting = self._waiting
        while True:
            if not waiting:
                self._wanted.clear()
                await self._wanted.wait()
            batch = self._under_way = [waiting.popleft() for _ in range(min(len(waiting), MAX_BATCH))]
            async with asyncio.timeout_at(batch[0].until_s):
                replies = await self._link.run([one.command for one in batch])
            for one, reply in zip(batch, replies, strict=True):
                if isinstance(reply, NotReady):
                    raise reply
                if one.answer is not None and not one.answer.done():
                    one.answer.set_result(reply)  # type: ignore[arg-type]
            self._retry_s = 0.0

    def _lost(self, exc: Exception) -> None:
        if not self.degraded or not self._tried.is_set():  # once per outage, not per attempt
            self.n_outages += 1
            why = f"no answer within {self._timeout_s * 1000:g} ms" if isinstance(exc, TimeoutError) else str(exc)
            log.warning("conversations are counted by this replica alone", extra={"redis": str(self._address), "why": why})
        if not isinstance(exc, TimeoutError | NotReady):
            log.error("conversations over redis failed", exc_info=exc, extra={"redis": str(self._address)})
        self._give_up()
        self._tried.set()

    def _give_up(self) -> None:
        """Have everybody who waits answered from this replica's counters."""
        self._shared.clear()
        for one in (*self._under_way, *self._waiting):
            if one.answer is not None and not one.answer.done():
                one.answer.set_result(None)
        self._under_way = []
        self._waiting.clear()
