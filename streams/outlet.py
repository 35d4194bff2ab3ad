"""The child's end of the way to the worker: pixels and sound into the slab, a short message for each into the socket.

Both are bounded. Live rooms never wait here: what finds no room is dropped and counted; files wait.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.messages import Report, encode
from streams.slab import Region, Slab

WAIT_S = 0.005
"""How long a file's thread sleeps before it asks again for room."""


class WorkerGone(Exception):
    """Raised when the worker closed its end; this process is about to end too."""


class Outlet:
    """Shared by all rooms of a child; safe from any of their threads."""

    def __init__(self, slab: Slab, sock: socket.socket) -> None:
        self._slab, self._sock = slab, sock
        self._lock = threading.Lock()

    def store(self, n_bytes: int, write: Callable[[NDArray[np.uint8]], None], *, until: threading.Event | None) -> Region | None:
        """Copy one picture or clip into the slab.

        Args:
            n_bytes: its size.
            write: fills the array it is given.
            until: wait for room until this is set; None: do not wait.

        Returns:
            Where it lies, or None when there was no room.
        """
        if not self._slab.fits(n_bytes):
            return None
        region = self._slab.allocate(n_bytes)
        while region is None and until is not None and not until.wait(WAIT_S):
            region = self._slab.allocate(n_bytes)
        if region is not None:
            write(self._slab.view(region, n_bytes))
        return region

    def discard(self, region: Region) -> None:
        """Give back what could not be announced."""
        self._slab.release(region)

    def say(self, report: Report, *, until: threading.Event | None) -> bool:
        """Send a message; False when the worker does not take any now and `until` does not let us wait.

        Raises:
            WorkerGone: nobody is there to take it.
        """
        data = encode(report)
        while True:
            try:
                with self._lock:
                    self._sock.send(data, socket.MSG_DONTWAIT)
                return True
            except ConnectionError as error:
                raise WorkerGone(error.strerror) from None
            except OSError:  # full, or the kernel is short of buffers: the same to us
                pass
            if until is None or until.is_set():
                return False
            select.select([], [self._sock], [], 0.25)
