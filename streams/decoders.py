"""The children a pool has: started, given a room, retired, with one of them spare; belongs to the pool's thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from streams.decoder import Decoder
from streams.messages import ChildSettings


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Bounds of the pool and its children."""

    rooms_per_decoder: int = 32
    slab_bytes: int = 96 * 1024 * 1024
    """Shared memory per child; pages are taken only when used."""
    open_timeout_s: float = 8.0
    read_timeout_s: float = 8.0
    retry_budget_s: float = 300.0
    ended_after_s: float = 12.0
    """A live stream that ended is over when it is not found again for this long; before, it is an encoder that comes back."""
    memory_bytes: int = 4 * 1024**3
    """Private memory per child."""
    has_spare: bool = True
    """Whether a child without rooms stands ready."""


class Decoders:
    """Starts and ends children, and says which of them have something to say."""

    def __init__(self, settings: ChildSettings, limits: PoolLimits) -> None:
        self._settings, self._limits = settings, limits
        self._all: list[Decoder] = []
        self._selector = selectors.DefaultSelector()

    def __iter__(self) -> Iterator[Decoder]:
        return iter(list(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, decoder: Decoder) -> bool:
        return decoder in self._all

    def wake_by(self, sock: socket.socket) -> None:
        """Let a socket's bytes end the wait for the children; they are read and forgotten."""
        self._selector.register(sock, selectors.EVENT_READ, None)

    def talking(self, timeout_s: float) -> list[Decoder]:
        """Wait until children have messages, or have died, or somebody wakes us."""
        found: list[Decoder] = []
        for key, _ in self._selector.select(timeout_s):
            if key.data is not None:
                found.append(key.data)
            elif isinstance(key.fileobj, socket.socket):
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(4096)
        return found

    def home(self, *, apart: bool) -> Decoder:
        """A child for one more room: where the fewest are, else the spare, else a new one.

        Args:
            apart: the room must be alone.

        Raises:
            OSError: the machine cannot start another process.
        """
        shared = [decoder for decoder in self._all if not decoder.is_quarantine]
        started = [decoder for decoder in shared if decoder.seats and len(decoder.seats) < self._limits.rooms_per_decoder]
        if started and not apart:
            return min(started, key=lambda decoder: len(decoder.seats))
        return next((decoder for decoder in shared if not decoder.seats), None) or self._start()

    def keep_spare(self) -> None:
        """Have one child without rooms ready, and no more than one.

        Raises:
            OSError: the machine cannot start another process.
        """
        idle = [decoder for decoder in self._all if not decoder.seats and not decoder.is_quarantine]
        if not idle and (self._limits.has_spare or not self._all):
            self._start()
        for decoder in idle[1:]:
            self.retire(decoder)

    def retire(self, decoder: Decoder) -> str:
        """End a child and say how it went."""
        self._selector.unregister(decoder.socket)
        self._all.remove(decoder)
        return decoder.end()

    def close(self) -> None:
        """End every child."""
        for decoder in self:
            self.retire(decoder)
        self._selector.close()

    def _start(self) -> Decoder:
        decoder = Decoder(self._settings, self._limits.slab_bytes)
        self._all.append(decoder)
        self._selector.register(decoder.socket, selectors.EVENT_READ, decoder)
        return decoder
