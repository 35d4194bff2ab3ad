"""Turns at something costly that has no queue of its own: so many at once, so many waiting, the next one refused.

    with two at once and two waiting:   [a] [b]   c d   | e: Overloaded

Safe from any thread and any event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

from inference.errors import Overloaded


class Turns:
    """Lets `n_at_once` pieces of work run together and `n_waiting` more wait, first come, first served; Overflow.REJECT."""

    def __init__(self, name: str, *, n_at_once: int, n_waiting: int) -> None:
        """Begin with nobody inside.

        Args:
            name: how errors call it.
            n_at_once: at least 1.
            n_waiting: at least 0; one more is refused.
        """
        if n_at_once < 1 or n_waiting < 0:
            raise ValueError(f"n_at_once must be at least 1 and n_waiting at least 0, got {n_at_once} and {n_waiting}")
        self._name = name
        self._free = n_at_once
        self._n_waiting = n_waiting
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it inside.

        Raises:
            Overloaded: too many wait already.
        """
        await self._take()
        try:
            yield
        finally:
            self._give()

    async def _take(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._waiting) >= self._n_waiting:
                raise Overloaded(f"{self._name}: {len(self._waiting)} wait for their turn already")
            place: Future[None] = Future()
            self._waiting.append(place)
        try:
            await asyncio.wrap_future(place)
        except asyncio.CancelledError:
            self._leave(place)
            raise

    def _leave(self, place: Future[None]) -> None:
        """Give up a place in the line, or the turn that was handed over just now."""
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
                return
        if not place.cancelled():
            self._give()

    def _give(self) -> None:
        """Hand the turn to whoever waits longest and still wants it."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                place = self._waiting.popleft()
            if place.set_running_or_notify_cancel():
                place.set_result(None)
                return
