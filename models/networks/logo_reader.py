"""Groups of scenes read ahead of training as they appear in a folder, on a thread of its own."""

from __future__ import annotations

import queue
import threading

from models.logo_cache import SceneCache
from models.networks.logo_store import Prepared, prepared

_QUEUED = 6
"""Groups that are read ahead."""
_POLL_S = 0.3


class Reader:
    """Reads groups of scenes as they appear in a folder, on a thread of its own."""

    def __init__(self, cache: SceneCache) -> None:
        self._cache = cache
        self._groups: queue.Queue[list[Prepared]] = queue.Queue(_QUEUED)  # full: reading waits
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="logo-scenes", daemon=True)
        self._thread.start()

    def take(self, *, wait_s: float = 0.0) -> list[Prepared] | None:
        """Take the next group; None where there is none yet."""
        try:
            return self._groups.get(timeout=wait_s) if wait_s else self._groups.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        known: set[int] = set()
        while not self._stop.is_set():
            fresh = [number for number in self._cache.numbers() if number not in known]
            for number in fresh:
                known.add(number)
                self._hand_on(number)
            if not fresh:
                self._stop.wait(_POLL_S)

    def _hand_on(self, number: int) -> None:
        try:
            group = [prepared(scene) for scene in self._cache.read(number)]
        except (OSError, ValueError, KeyError):  # removed meanwhile, or damaged: one group fewer
            return
        while not self._stop.is_set():
            try:
                self._groups.put(group, timeout=_POLL_S)
                return
            except queue.Full:
                continue
